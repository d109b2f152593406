import { join } from 'node:path'
import type { ModuleName } from '../../../src/registry.ts'
import { type RunningServer, startServer } from '../server.ts'
import type { PlacedRow } from './layout.ts'

export interface ProcessOptions {
  readonly dataDir: string
  readonly env: Readonly<Record<string, string>>
  readonly readyTimeoutMs: number
  /** Told of the beginning and the end of each life. */
  readonly guardian: { began(pid: number): void; ended(pid: number): void }
}

/**
 * A server process that can die and come back: always on the same port, data folder and settings, so that the others and
 * clients only see connections fail. States: down ⇄ running ⇄ paused. All calls resolve when they have taken effect.
 */
export class FleetProcess {
  readonly name: string
  readonly modules: readonly ModuleName[]
  readonly url: string
  readonly dataDir: string
  readonly env: Readonly<Record<string, string>>
  readonly #o: ProcessOptions
  #build: string | undefined
  readonly #earlier: string[] = []
  #life: RunningServer | undefined
  #starting: Promise<void> | undefined
  #ended = false

  constructor(row: PlacedRow, o: ProcessOptions) {
    this.name = row.name
    this.modules = row.modules
    this.url = row.url
    this.dataDir = o.dataDir
    this.env = o.env
    this.#build = row.build
    this.#o = o
  }

  /** Of the main process; undefined while it is down. */
  get pid(): number | undefined {
    return this.#life?.pid
  }

  /** Resolves when it is ready. @throws Error with its last output when it does not get there, runs already, or has ended */
  async start(): Promise<void> {
    if (this.#ended) throw new Error(`the fleet of ${this.name} has stopped`)
    if (this.#life || this.#starting) throw new Error(`${this.name} runs already`)
    this.#starting = this.#start().finally(() => {
      this.#starting = undefined
    })
    await this.#starting
  }

  async #start(): Promise<void> {
    let pid = 0
    const { dataDir, env, readyTimeoutMs, guardian } = this.#o
    const onSpawn = (id: number): void => {
      pid = id
      guardian.began(id)
    }
    const port = Number(new URL(this.url).port)
    try {
      const version = this.#build === undefined ? { env: { ...env } } : earlier(this.#build, env)
      const life = await startServer({ dataDir, port, readyTimeoutMs, onSpawn, ...version })
      this.#life = life
      void life.exited.then(() => guardian.ended(pid))
    } catch (error) {
      guardian.ended(pid)
      throw new Error(`${this.name} (${this.modules.join(', ')}): ${error instanceof Error ? error.message : error}`)
    }
  }

  /** SIGTERM, and SIGKILL after 30 s. Resolves with the exit code; null when a signal ended it or it was down. */
  async stop(): Promise<number | null> {
    const life = this.#life
    if (!life) return null
    life.kill('SIGCONT') // one that is paused does not hear SIGTERM
    const code = await life.stop()
    this.#over(life)
    return code
  }

  /** Stops it for good, also when somebody else is starting it just now. */
  async end(): Promise<void> {
    this.#ended = true
    await this.#starting?.catch(() => undefined) // told to whoever started it
    await this.stop()
  }

  /** SIGKILL, for an engine of its own as well. */
  async kill(): Promise<void> {
    const life = this.#life
    if (!life) return
    life.kill('SIGKILL')
    await life.stop()
    this.#over(life)
  }

  /** Stops it, however it is, and starts it again. @throws Error as start() does */
  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** Stops it and starts another version on the same data; without a folder, this tree. @throws Error as start() does */
  async become(build: string | undefined): Promise<void> {
    await this.stop()
    this.#build = build
    await this.start()
  }

  /** SIGSTOP: it holds its connections and answers nothing. */
  pause(): void {
    this.#life?.kill('SIGSTOP')
  }

  /** SIGCONT. */
  resume(): void {
    this.#life?.kill('SIGCONT')
  }

  /** The last output of each of its lives. */
  output(): string {
    return [...this.#earlier, ...(this.#life ? [this.#life.output()] : [])]
      .map((text, i) => `--- ${this.name}, life ${i + 1}\n${text}`)
      .join('\n')
  }

  #over(life: RunningServer): void {
    if (this.#life !== life) return
    this.#life = undefined
    this.#earlier.push(life.output())
    if (this.#earlier.length > keptLives) this.#earlier.shift()
  }
}

const keptLives = 8

/** An earlier version refuses a link that it does not know, also an empty one. */
function earlier(
  folder: string,
  env: Readonly<Record<string, string>>,
): { entry: string; env: Record<string, string> } {
  const set = Object.entries(env).filter(([, value]) => value !== '')
  return { entry: join(folder, 'src/main.ts'), env: Object.fromEntries(set) }
}
