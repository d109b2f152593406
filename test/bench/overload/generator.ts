/* A load generator, a process of its own: takes a load, opens its connections, waits for the word, and runs it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from '../connection.ts'
import {
  type FromGenerator,
  type Load,
  type LoadResult,
  patienceMs,
  type Slice,
  sliceMs,
  type ToGenerator,
} from './job.ts'
import { Template } from './requests.ts'

const say = (message: FromGenerator): boolean => process.send!(message)

const lastAnswersMs = 30_000

class Client {
  readonly connection: Connection
  readonly template: Template
  constructor(connection: Connection, template: Template) {
    this.connection = connection
    this.template = template
  }
}

class Run {
  readonly #load: Load
  readonly #free: Client[]
  readonly #slices: Slice[]
  #from = 0
  #arrived = 0
  #numbers = 0

  constructor(load: Load, clients: Client[]) {
    this.#load = load
    this.#free = clients
    this.#slices = Array.from({ length: Math.ceil((load.seconds * 1000) / sliceMs) }, emptySlice)
  }

  async run(): Promise<LoadResult> {
    const cpu = process.cpuUsage()
    this.#from = performance.now()
    const everyMs = this.#load.rate === undefined ? 0 : 1_000 / this.#load.rate
    const endMs = this.#load.seconds * 1_000
    const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
    const step = (): void => {
      const atMs = performance.now() - this.#from
      if (atMs >= endMs) return resolve()
      if (everyMs === 0) while (this.#free.length > 0) this.#send(atMs, reject)
      else while (this.#arrived * everyMs <= atMs) this.#arrive(this.#arrived++ * everyMs, reject)
    }
    const timer = setInterval(step, 1)
    await ended.finally(() => clearInterval(timer))
    await this.#lastAnswers()
    const { user, system } = process.cpuUsage(cpu)
    return { slices: this.#slices, cpuSeconds: (user + system) / 1e6 }
  }

  /** What was sent may be acknowledged: the outcome is waited for, within reason. */
  async #lastAnswers(): Promise<void> {
    const end = performance.now() + lastAnswersMs
    while (this.#free.length < this.#load.connections && performance.now() < end) await sleep(10)
  }

  #arrive(dueMs: number, failed: (error: unknown) => void): void {
    if (this.#free.length > 0) return this.#send(dueMs, failed)
    const slice = this.#sliceAt(dueMs)
    slice.arrived++
    slice.blocked++
  }

  #send(dueMs: number, failed: (error: unknown) => void): void {
    const client = this.#free.shift()!
    const slice = this.#sliceAt(dueMs)
    slice.arrived++
    client.connection.send(client.template.next(this.#numbers++)).then(({ status }) => {
      const ms = performance.now() - this.#from - dueMs
      if (status !== 202) {
        slice.refused[status] = (slice.refused[status] ?? 0) + 1
        slice.refusals.push(ms)
      } else if (ms > patienceMs) slice.late++
      else {
        slice.good++
        slice.latencies.push(ms)
      }
      this.#free.push(client)
    }, failed)
  }

  #sliceAt(ms: number): Slice {
    return this.#slices[Math.min(this.#slices.length - 1, Math.floor(ms / sliceMs))]!
  }
}

const emptySlice = (): Slice => ({ arrived: 0, blocked: 0, good: 0, late: 0, refused: {}, latencies: [], refusals: [] })

let ready: Run | undefined

async function prepare(load: Load): Promise<void> {
  const connections = await Connection.openMany(load.url, load.connections)
  ready = new Run(
    load,
    connections.map((connection) => new Client(connection, new Template(load))),
  )
  say({ kind: 'prepared' })
}

const failed = (error: unknown): void => {
  say({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
}

process.on('message', (message: ToGenerator) => {
  if (message.kind === 'load') prepare(message.load).catch(failed)
  else ready?.run().then((result) => say({ kind: 'result', result }), failed)
})
process.on('disconnect', () => process.exit())
