import { AppError, type Clock, codeOf, type Postgres, type PostgresTx } from '@splitstream/kernel'
import type { Dependency } from './dependency.ts'
import { EngineHealth } from './engine-health.ts'
import type { Connections } from './pool-watch.ts'
import type { Probe } from './probe.ts'
import type { ProcessHealth } from './process-health.ts'
import { verdictOf } from './verdicts.ts'

/** A p99 above it is bad; nothing that is asked takes so long, ms. */
const [slowMs, hungMs] = [1_000, 10_000]
const judge = (error: unknown, ms: number) => verdictOf(error, ms, slowMs)

interface WatchedPool extends Postgres {
  readonly connections: Connections
}

/** Postgres as a dependency, each schema by itself: a lock that one of them waits for is no trouble of the others. */
export class PostgresWatch {
  readonly #health: ProcessHealth
  #engine: EngineHealth | undefined
  #probe: Probe | undefined
  readonly #pools = new Map<string, Postgres>()

  constructor(health: ProcessHealth) {
    this.#health = health
  }

  /** The child ended, unasked. */
  readonly ended = (): void => this.#engine?.ended()

  /** @param connection one that is for this alone, so that a pool whose connections are all held is not taken for an outage */
  start(connection: Postgres, { clock, own }: { readonly clock: Clock; readonly own: boolean }): void {
    const health = this.#health
    const probe = health.probe('Postgres', async () => health.clock.compare(await askTime(connection)))
    const engine = new EngineHealth(probe, own, clock)
    this.#engine = engine
    this.#probe = probe
    health.add({ part: 'postgres', read: engine.health })
    health.add({ part: 'postgres pools', read: health.pools.health, needs: ['postgres'] })
  }

  /** The pool of this name, observed. */
  over(pool: WatchedPool, name: string): Postgres {
    const watched = this.#pools.get(name) ?? this.#observed(pool, name)
    this.#pools.set(name, watched)
    return watched
  }

  #observed(pool: WatchedPool, name: string): Postgres {
    const probe = this.#probe
    const dependency = this.#health.dependency(`postgres ${name}`, { slowMs, hungMs, ...(probe && { probe }) })
    const connections = this.#health.pools.add(name, () => pool.connections)
    const counted = async <T>(work: Promise<T>): Promise<T> => {
      try {
        const value = await work
        connections.moved()
        return value
      } catch (error) {
        if (codeOf(error) === 'UNAVAILABLE') connections.refused()
        else connections.moved()
        throw error
      }
    }
    return {
      query: <T>(text: string, values?: readonly unknown[], statement?: string) =>
        counted(dependency.run(() => pool.query<T>(text, values, statement), judge)),
      tx: (fn) => counted(watchedTx(pool, dependency, fn)),
      listen: (channel, onMessage) => pool.listen(channel, onMessage),
    }
  }
}

/** The way to a connection, each statement and the commit are calls. What `fn` does between its statements is not Postgres's time. */
async function watchedTx<T>(pool: Postgres, dependency: Dependency, fn: (tx: PostgresTx) => Promise<T>): Promise<T> {
  const begun = Promise.withResolvers<void>()
  const over = Promise.withResolvers<void>()
  let thrown: { readonly by: unknown } | undefined
  const result = pool.tx(async (tx) => {
    begun.resolve()
    const query = <R>(text: string, values?: readonly unknown[], name?: string): Promise<R[]> =>
      dependency.run(() => tx.query<R>(text, values, name), judge)
    try {
      return await fn({ query })
    } catch (error) {
      thrown = { by: error }
      throw error
    } finally {
      over.resolve()
    }
  })
  result.catch(begun.reject)
  await dependency.run(() => begun.promise, judge)
  await over.promise
  return await dependency.run(
    () => result,
    (error, ms) => (thrown && error === thrown.by ? 'none' : judge(error, ms)),
  )
}

/** @returns ms since the epoch. @throws AppError UNAVAILABLE when it takes no writes */
async function askTime(postgres: Postgres): Promise<number> {
  const [row] = await postgres.query<{ now: number; standby: boolean }>(
    'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now, pg_is_in_recovery() AS standby',
    [],
    'health',
  )
  if (row!.standby) throw new AppError('UNAVAILABLE', 'it is a standby, which takes no writes')
  return row!.now
}
