import {
  AppError,
  type Breaker,
  codeOf,
  type Labels,
  type Metrics,
  noMetrics,
  type Postgres,
  type PostgresTx,
} from '@splitstream/kernel'
import pg from 'pg'
import { operationSeconds } from '../operations.ts'
import { acquire } from './acquire.ts'
import { AnswerWatch } from './answer-watch.ts'
import { alive, type Plans, settingsOf } from './connection-options.ts'
import { breaksConnection, type Outcome, toAppError } from './errors.ts'
import { listenTo } from './listen.ts'

export interface ConnectOptions {
  url: string
  /** Connections at most; 5 when not given. */
  max?: number
  /** Shown in pg_stat_activity. */
  applicationName: string
  /** The server ends a statement after this, ms; 30,000 when not given. */
  statementTimeoutMs?: number
  /** The server ends a transaction in which nothing happens for so long, ms; 60,000 when not given. */
  idleInTransactionMs?: number
  /**
   * `by key`: statements with a name are planned once, for any values, and rows are found by an index. For statements that run
   * hundreds of times a second, whose planning costs more than their work; not for those whose best plan depends on the values.
   */
  plans?: Plans
  /** How long to wait for a connection, new or from the pool, ms; 5,000 when not given. */
  connectTimeoutMs?: number
  /** Told how long statements and transactions take, the wait for a connection included; by the name of the pool. */
  metrics?: Metrics
  poolName?: string
  /** Before the way to a connection. */
  breaker?: Breaker
}

export type { Plans }

export interface Pool extends Postgres {
  /** Connections, and callers that wait for one. */
  readonly connections: { readonly used: number; readonly idle: number; readonly waiting: number }
  close(): Promise<void>
}

/** Callers that may wait for a connection; more are refused, so that a stalled Postgres cannot fill the memory. */
const MAX_WAITING = 1_000

/**
 * A pool on one database. It connects when it is first used, reconnects after the server came back, and the end of an
 * idle connection is no error.
 *
 * Errors are AppErrors. UNAVAILABLE: no connection, or it was lost; `details.outcome` says whether the work certainly
 * did not happen (`none`) or may have (`unknown`: lost while a single statement or a COMMIT ran). Also CONFLICT (unique
 * key), DEADLINE_EXCEEDED (statement timeout), OVERLOADED, DISK_FULL, and INTERNAL for a statement that is refused.
 * What the function of a transaction throws itself goes on to the caller as it is.
 */
export function connectPostgres(o: ConnectOptions): Pool {
  const statementTimeout = o.statementTimeoutMs ?? 30_000
  const pool = new pg.Pool({
    connectionString: o.url,
    max: o.max ?? 5,
    application_name: o.applicationName,
    connectionTimeoutMillis: o.connectTimeoutMs ?? 5_000,
    idleTimeoutMillis: 30_000,
    ...alive,
    options: settingsOf(o.plans ?? 'each time'),
    statement_timeout: statementTimeout,
    idle_in_transaction_session_timeout: o.idleInTransactionMs ?? 60_000,
  })
  // The pool has already dropped the idle connection; without a listener the event would end the process.
  pool.on('error', () => {})
  // The same for one that is just being handed out or given back, when neither the pool nor a session listens to it.
  pool.on('connect', (client) => client.on('error', () => {}))
  const seconds = operationSeconds(o.metrics ?? noMetrics)
  const labels = new OperationLabels(o.poolName ?? '')
  const watch = new AnswerWatch(statementTimeout + 5_000)
  let closed: Promise<void> | undefined

  async function withSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
    if (closed) throw new AppError('STOPPING', 'The Postgres pool is closed')
    if (pool.waitingCount >= MAX_WAITING) throw new AppError('OVERLOADED', 'Too many callers wait for Postgres')
    const client = await acquire(pool, o.breaker)
    const session = new Session(client, watch)
    try {
      return await work(session)
    } finally {
      session.release()
    }
  }

  async function timed<T>(operation: Operation, work: () => Promise<T>): Promise<T> {
    const from = performance.now()
    let failed = ''
    try {
      return await work()
    } catch (error) {
      failed = codeOf(error)
      throw error
    } finally {
      seconds.observe((performance.now() - from) / 1_000, labels.of(operation, failed))
    }
  }

  return {
    query: <T>(text: string, values?: readonly unknown[], name?: string) =>
      timed('query', () => withSession((session) => session.run<T>(text, values, 'unknown', name))),
    tx: <T>(fn: (tx: PostgresTx) => Promise<T>) => timed('transaction', () => withSession((s) => s.transact(fn))),
    get connections() {
      const { totalCount, idleCount: idle, waitingCount: waiting } = pool
      return { used: totalCount - idle, idle, waiting }
    },
    listen: (channel, onMessage) => listenTo(o, channel, onMessage),
    close: () => {
      closed ??= pool.end()
      return closed
    },
  }
}

type Operation = 'query' | 'transaction'

/** Made once each: a metric finds labels by their identity. */
class OperationLabels {
  readonly #pool: string
  readonly #known = new Map<string, Labels>()

  constructor(pool: string) {
    this.#pool = pool
  }

  of(operation: Operation, failed: string): Labels {
    const key = `${operation} ${failed}`
    let labels = this.#known.get(key)
    if (!labels) {
      const about = { 'db.system.name': 'postgresql', 'db.namespace': this.#pool, 'db.operation.name': operation }
      labels = { ...about, 'error.type': failed }
      this.#known.set(key, labels)
    }
    return labels
  }
}

/** One connection while somebody holds it. A broken one is thrown away at release and not handed to the next caller. */
class Session {
  readonly #client: pg.PoolClient
  readonly #watch: AnswerWatch
  #broken = false
  // A connection that breaks between two statements says so by an event, which must have a listener.
  readonly #onError = () => {
    this.#broken = true
  }

  constructor(client: pg.PoolClient, watch: AnswerWatch) {
    this.#client = client
    this.#watch = watch
    client.on('error', this.#onError)
  }

  /** @param lost what is known when the connection goes away during the statement */
  async run<T>(text: string, values: readonly unknown[] | undefined, lost: Outcome, name?: string): Promise<T[]> {
    return (await this.#send(text, values, lost, name)).rows as T[]
  }

  async transact<T>(fn: (tx: PostgresTx) => Promise<T>): Promise<T> {
    await this.#send('BEGIN', undefined, 'none')
    let open = true
    // A connection lost before COMMIT is sent means a rollback: nothing happened.
    const query = async <R>(text: string, values?: readonly unknown[], name?: string): Promise<R[]> => {
      if (!open) throw new AppError('INTERNAL', 'The transaction is over')
      return await this.run<R>(text, values, 'none', name)
    }
    let result: T
    try {
      result = await fn({ query })
    } catch (error) {
      open = false
      await this.#send('ROLLBACK', undefined, 'none').catch(this.#onError)
      throw error
    }
    open = false
    const { command } = await this.#send('COMMIT', undefined, 'unknown')
    // Postgres answers ROLLBACK, without an error, when a statement had failed and `fn` went on regardless.
    if (command !== 'COMMIT') throw new AppError('INTERNAL', 'The transaction was rolled back: a statement had failed')
    return result
  }

  release(): void {
    this.#client.off('error', this.#onError)
    this.#client.release(this.#broken)
  }

  async #send(
    text: string,
    values: readonly unknown[] | undefined,
    lost: Outcome,
    name?: string,
  ): Promise<pg.QueryResult> {
    try {
      return await this.#answer(text, values, name)
    } catch (error) {
      if (breaksConnection(error)) this.#broken = true
      throw toAppError(error, lost)
    }
  }

  /**
   * By pg's callback, and not by its promise: see AnswerWatch. By a Query, and not by a config: that one pg copies property by
   * property, which costs more than the rest of a query's making.
   */
  #answer(text: string, values: readonly unknown[] | undefined, name: string | undefined): Promise<pg.QueryResult> {
    return new Promise((resolve, reject) => {
      const waiting = this.#watch.add(() => reject(new Error('Postgres does not answer')))
      const query = new pg.Query(text, values && [...values], (error, result) => {
        this.#watch.remove(waiting)
        if (error) reject(error)
        else resolve(result)
      })
      // What a config's name becomes; the types lack it.
      this.#client.query(Object.assign(query, { name }))
    })
  }
}
