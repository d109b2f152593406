import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { type Fleet, type FleetProcess, startFleet } from '../../support/fleet.ts'
import { startKafka } from '../../support/kafka/start.ts'
import { Client } from '../client.ts'
import { type Ledger, startLedger } from './ledger/start.ts'
import { type PostgresProxy, startPostgresProxy } from './postgres/proxy.ts'

/** A process that runs sagas, and what stands between it and Postgres. */
export interface Worker {
  readonly process: FleetProcess
  readonly proxy: PostgresProxy
}

export interface InstallationOptions {
  readonly workers: number
  /** For the ledger's book. */
  readonly home: string
  /** More settings of the workers. */
  readonly env?: Readonly<Record<string, string>>
}

/**
 * An installation as a user may run it, each process knowing its part by its settings alone: one process for events (ingest,
 * storage, query), several that run sagas and nothing else, Kafka between them, one Postgres; and the external ledger.
 */
export class Installation implements AsyncDisposable {
  readonly fleet: Fleet
  readonly ledger: Ledger
  readonly workers: readonly Worker[]
  /** The superuser's, directly. */
  readonly sql: pg.Client
  readonly #resources: AsyncDisposableStack
  readonly #starting = new Set<Promise<void>>()
  #failed: unknown

  private constructor(
    resources: AsyncDisposableStack,
    fleet: Fleet,
    ledger: Ledger,
    workers: readonly Worker[],
    sql: pg.Client,
  ) {
    this.#resources = resources
    this.fleet = fleet
    this.ledger = ledger
    this.workers = workers
    this.sql = sql
  }

  /** @throws Error when a part of it does not start; the others have ended then */
  static async start({ workers: count, home, env }: InstallationOptions): Promise<Installation> {
    await using resources = new AsyncDisposableStack()
    const kafka = resources.adopt(await startKafka(), (one) => one.stop())
    const proxies: PostgresProxy[] = []
    resources.defer(async () => void (await Promise.all(proxies.map((proxy) => proxy.stop()))))
    const postgres = async (url: string): Promise<string> => {
      proxies.push(await startPostgresProxy(url))
      return proxies.at(-1)!.url
    }
    const names = Array.from({ length: count }, (_, i) => `sagas-${i}`)
    const fleet = resources.use(
      await startFleet({
        events: { brokers: kafka.brokers },
        env: { MIN_FREE_BYTES: '0', SAGA_ALLOW_PRIVATE: '127.0.0.1' },
        processes: [
          { name: 'events', modules: ['ingest', 'storage', 'query'] },
          ...names.map((name) => ({ name, modules: ['sagas'] as const, postgres, ...(env && { env }) })),
        ],
      }),
    )
    const workers = names.map((name, i) => ({ process: fleet.process(name), proxy: proxies[i]! }))
    const ledger = resources.adopt(await startLedger(join(home, 'ledger.db'), fleet.postgresUrl), (one) => one.stop())
    const sql = resources.adopt(new pg.Client({ connectionString: fleet.postgresUrl }), (one) =>
      one.end().catch(() => undefined),
    )
    sql.on('error', () => {})
    await sql.connect()
    const installation = new Installation(resources.move(), fleet, ledger, workers, sql)
    try {
      await installation.#publish()
    } catch (error) {
      await installation[Symbol.asyncDispose]()
      throw error
    }
    return installation
  }

  get adminKey(): string {
    return this.fleet.adminKey
  }

  /** Those whose process is there. */
  get alive(): readonly Worker[] {
    return this.workers.filter(({ process }) => process.pid !== undefined)
  }

  /** Starts a worker that is down, in a while. */
  restart({ process }: Worker, afterMs = 0): void {
    const starting = delay(afterMs)
      .then(() => process.start())
      .catch((error: unknown) => {
        this.#failed ??= error
      })
      .finally(() => this.#starting.delete(starting))
    this.#starting.add(starting)
  }

  /** Waits until so many workers are there. @throws Error when one that was restarted did not get ready */
  async atLeast(count: number): Promise<void> {
    while (this.alive.length < count && this.#starting.size > 0) await Promise.race(this.#starting)
    if (this.#failed !== undefined) throw this.#failed
    if (this.alive.length < count) throw new Error(`${this.alive.length} workers are left`)
  }

  /** Publishes the definitions beside this file. */
  async #publish(): Promise<void> {
    const folder = new URL('./definitions/', import.meta.url)
    for (const file of await readdir(folder)) {
      await this.publish(file.replace('.json', ''), await readFile(new URL(file, folder), 'utf8'))
    }
  }

  /** `LEDGER` in the text stands for the ledger's URL. */
  async publish(name: string, definition: string): Promise<void> {
    const client = new Client(this.workers[0]!.process.url, this.adminKey)
    const body: unknown = JSON.parse(definition.replaceAll('LEDGER', this.ledger.url))
    await client.json('PUT', `/v1/saga-definitions/${name}`, body).finally(() => client.close())
  }

  /**
   * What three seconds would do to the lease of a worker that is dead for sure: it has run out. So that a thousand seeds need
   * not wait for a thousand leases; the worker is named in its row by its process id.
   */
  async expireLease(pid: number): Promise<void> {
    await this.sql.query(`UPDATE sagas.workers SET expires_at = clock_timestamp() WHERE name LIKE '%:' || $1`, [pid])
  }

  /** Rows of one statement. */
  async rows<T extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<T[]> {
    return (await this.sql.query<T>(text, values)).rows
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#starting)
    await this.#resources.disposeAsync()
  }
}

/** Asks every 20 ms. @returns whether it came true in time */
export async function until(isTrue: () => Promise<boolean> | boolean, ms: number): Promise<boolean> {
  for (const end = performance.now() + ms; performance.now() < end; await delay(20)) if (await isTrue()) return true
  return false
}
