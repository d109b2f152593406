import { type ClickHouse, type Clock, messageOf } from '@splitstream/kernel'
import { EngineHealth } from './engine-health.ts'
import type { ProcessHealth } from './process-health.ts'
import { insertVerdict, isPassing, readVerdict } from './verdicts.ts'

/** A p99 above it is bad, ms. Queries may ask for much. */
const slowMs = { read: 10_000, insert: 5_000 }
/** No insert of a block takes so long, ms. */
const hungMs = 10_000
/** A consumer tries again within 5 s: for so long an insert that was refused for now counts, ms. */
const passingMs = 6_000

export interface ClickHouseWatchOptions {
  readonly clock: Clock
  /** A child of this process. */
  readonly own: boolean
  /** Whether the server answers, whatever it has to do; and what its clock says, ms since the epoch, when that is known. */
  readonly ping: (signal: AbortSignal) => Promise<number | undefined>
}

/** ClickHouse as a dependency: reads and inserts apart, as one can hang while the other goes on. */
export class ClickHouseWatch {
  readonly #health: ProcessHealth
  #engine: EngineHealth | undefined

  constructor(health: ProcessHealth) {
    this.#health = health
  }

  /** The child ended, unasked. */
  readonly ended = (): void => this.#engine?.ended()

  /** The driver, observed. */
  over(driver: ClickHouse, { clock, own, ping }: ClickHouseWatchOptions): ClickHouse {
    const health = this.#health
    const probe = health.probe('ClickHouse', async (signal) => {
      const now = await ping(signal)
      // A child has the clock of this machine.
      if (!own && now !== undefined) health.clock.heard('ClickHouse', now)
    })
    const engine = new EngineHealth(probe, own, clock)
    this.#engine = engine
    health.add({ part: 'clickhouse', read: engine.health })
    const reads = health.dependency('clickhouse read', { slowMs: slowMs.read, probe })
    const inserts = health.dependency('clickhouse insert', { slowMs: slowMs.insert, hungMs, probe })
    const readFailed = (error: unknown, ms: number) => readVerdict(error, ms, slowMs.read)
    const insertFailed = (error: unknown, ms: number) => {
      if (isPassing(error)) probe.note(messageOf(error), passingMs)
      return insertVerdict(error, ms, slowMs.insert)
    }
    return {
      rows: (query, call) => reads.run(() => driver.rows(query, call), readFailed),
      stream: (query, call) => reads.run(() => driver.stream(query, call), readFailed),
      command: (query, call) => reads.run(() => driver.command(query, call), readFailed),
      insert: (rows, call) => inserts.run(() => driver.insert(rows, call), insertFailed),
    }
  }
}
