import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KafkaNode } from './cluster.ts'
import type { Guardian } from './guardian.ts'
import { type Java, javaArguments, javaEnvironment } from './java.ts'
import { untilMember } from './member.ts'
import { properties } from './settings.ts'

export interface NodeSetup {
  readonly id: number
  readonly port: number
  /** Its own: settings, data, temporary files. */
  readonly folder: string
  readonly settings: Readonly<Record<string, string>>
  readonly java: Java
  readonly jars: readonly string[]
  readonly heapMb: number
  /** More for the tool that formats it. */
  readonly formatArguments?: readonly string[]
  /** JVM options of all its processes. */
  readonly options: readonly string[]
  /** More of them for its first life as a broker. */
  readonly firstOptions?: readonly string[] | undefined
}

const OUTPUT_LIMIT = 16 * 1024
const FORMAT_DEADLINE_MS = 60_000

interface RunOptions {
  readonly timeoutMs?: number
  readonly options?: readonly string[] | undefined
}

/** A node as a child process, one JVM for each of its lives. */
export class LocalNode implements KafkaNode {
  readonly id: number
  readonly broker: string
  readonly #setup: NodeSetup
  readonly #guardian: Guardian
  #child: ChildProcess | undefined
  #output = ''
  #lives = 0

  constructor(setup: NodeSetup, guardian: Guardian) {
    this.id = setup.id
    this.broker = `127.0.0.1:${setup.port}`
    this.#setup = setup
    this.#guardian = guardian
  }

  /** Makes the data folder. @throws Error with what the tool says. */
  async format(clusterId: string): Promise<void> {
    await mkdir(this.#setup.folder)
    await writeFile(this.#propertiesFile, properties(this.#setup.settings))
    const more = this.#setup.formatArguments ?? []
    const args = ['format', '-t', clusterId, '-c', this.#propertiesFile, ...more]
    const child = this.#run('kafka.tools.StorageTool', args, { timeoutMs: FORMAT_DEADLINE_MS })
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`Kafka's storage cannot be formatted: ${this.#output}`)
  }

  async start(): Promise<void> {
    if (this.#child) throw new Error(`node ${this.id} runs already`)
    this.#output = ''
    const first = this.#lives++ === 0 ? this.#setup.firstOptions : undefined
    const child = this.#run('kafka.Kafka', [this.#propertiesFile], { options: first })
    this.#child = child
    await untilMember(this.broker, [this.id], () => this.failure())
  }

  /** Why it does not run: its last words. */
  failure(): string | undefined {
    return this.#child ? undefined : `node ${this.id} ended: ${this.#output || 'it said nothing'}`
  }

  /** SIGTERM. True when this was its first life and it shut down in good order within the time. */
  async shutDown(deadlineMs: number): Promise<boolean> {
    const child = this.#child
    if (!child || this.#lives !== 1) return false
    child.kill('SIGCONT')
    child.kill('SIGTERM')
    await once(child, 'exit', { signal: AbortSignal.timeout(deadlineMs) }).catch(() => {}) // killed next
    return child.exitCode !== null
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (!child) return
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }

  async pause(): Promise<void> {
    this.#child?.kill('SIGSTOP')
  }

  async resume(): Promise<void> {
    this.#child?.kill('SIGCONT')
  }

  get #propertiesFile(): string {
    return join(this.#setup.folder, 'server.properties')
  }

  #run(main: string, args: readonly string[], { timeoutMs, options = [] }: RunOptions): ChildProcess {
    const { java, folder } = this.#setup
    const jvm = javaArguments({ ...this.#setup, options: [...this.#setup.options, ...options] })
    const child = spawn(java.path, [...jvm, main, ...args], {
      cwd: folder,
      env: javaEnvironment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // Ctrl-C at the terminal is for the test to handle
      ...(timeoutMs !== undefined && { timeout: timeoutMs, killSignal: 'SIGKILL' as const }),
    })
    const collect = (text: string): void => {
      this.#output = (this.#output + text).slice(-OUTPUT_LIMIT)
    }
    child.stdout.setEncoding('utf8').on('data', collect)
    child.stderr.setEncoding('utf8').on('data', collect)
    const { pid } = child
    if (pid !== undefined) this.#guardian.began(pid)
    const over = (): void => {
      if (pid !== undefined) this.#guardian.ended(pid)
      if (this.#child === child) this.#child = undefined
    }
    child.once('exit', over).once('error', (error) => {
      collect(error.message)
      if (pid === undefined) over()
    })
    return child
  }
}
