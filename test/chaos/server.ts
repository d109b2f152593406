import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort, type RunningServer, startServer } from '../support/server.ts'
import { type ServerProcesses, serverProcesses, signal } from './processes.ts'

/**
 * A server that dies and comes back: always on the same port, data directory and key, so that clients only see connections
 * fail. Lives that ended are put away at the end, because clearing one up ends what it left behind, and an engine that
 * outlived its parent is a part of the test.
 */
export class Victim {
  readonly dataDir: string
  readonly url: string
  readonly adminKey = randomBytes(24).toString('hex')
  /** Time from each start to ready, ms. */
  readonly readyMs: number[] = []
  readonly #port: number
  readonly #env: Record<string, string>
  readonly #lives: RunningServer[] = []

  private constructor(dataDir: string, port: number, env: Record<string, string>) {
    this.dataDir = dataDir
    this.#port = port
    this.url = `http://127.0.0.1:${port}`
    this.#env = env
  }

  static async create(dataDir: string, env: Record<string, string> = {}): Promise<Victim> {
    return new Victim(dataDir, await freePort(), env)
  }

  get now(): RunningServer {
    const life = this.#lives.at(-1)
    if (!life) throw new Error('the server was never started')
    return life
  }

  get processes(): ServerProcesses {
    return serverProcesses(this.dataDir)
  }

  /** @throws Error with the server's last output when it is not ready in time, or at once when it has said what is hopeless. */
  async start(readyTimeoutMs = 60_000, hopeless?: RegExp): Promise<RunningServer> {
    const from = performance.now()
    const life = await startServer({
      dataDir: this.dataDir,
      port: this.#port,
      env: { LOG_LEVEL: 'info', ...this.#env, ADMIN_KEY: this.adminKey },
      readyTimeoutMs,
      ...(hopeless && { hopeless }),
    })
    this.readyMs.push(Math.round(performance.now() - from))
    this.#lives.push(life)
    return life
  }

  /** Asks the present life to stop. Resolves with its exit code. */
  async stop(): Promise<number | null> {
    return await this.now.stop()
  }

  /** kill -9 for everything that is left, and waits until it is gone. */
  async end(): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      const left = this.processes.all
      for (const { pid } of left) signal(pid, 'SIGKILL')
      if (left.length === 0) break
      await delay(50)
    }
    for (const life of this.#lives) await life.stop()
  }

  output(): string {
    return this.#lives.map((life, i) => `--- life ${i + 1}\n${life.output()}`).join('\n')
  }
}
