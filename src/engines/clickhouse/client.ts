import { addAbortSignal, Readable } from 'node:stream'
import { type ClickHouseClient, createClient, ClickHouseError as ServerError } from '@clickhouse/client'
import {
  AppError,
  type Call,
  type ClickHouse,
  ClickHouseError,
  type ClickHouseQuery,
  type Clock,
  codeOf,
  remaining,
  systemClock,
  whyAborted,
} from '@splitstream/kernel'

export interface ClickHouseConnection {
  readonly url: string
  readonly username: string
  readonly password: string
  readonly database: string
  readonly maxConnections?: number
}

/** Engine codes that pass: overload, memory, network, replicas, shutdown, read-only and too many parts for now. */
const transient = new Set([
  3, 74, 76, 159, 160, 164, 201, 202, 203, 209, 210, 225, 236, 241, 242, 243, 252, 279, 285, 286, 306, 319, 394, 425,
  439, 473, 499, 516, 574, 630, 722, 723, 735, 745, 999, 1000,
]) // prettier-ignore

/**
 * The driver of modules, on an unmodified @clickhouse/client; the same for the embedded engine and for servers. A call ends
 * with its signal, and all but streams (which end with their reader) with its budget, however the engine hangs.
 */
export function connectClickHouse(
  o: ClickHouseConnection,
  clock: Clock = systemClock,
): ClickHouse & { close(): Promise<void> } {
  const client = createClient({
    url: o.url,
    username: o.username,
    password: o.password,
    database: o.database,
    max_open_connections: o.maxConnections ?? 16,
    request_timeout: 600_000,
    keep_alive: { enabled: true, idle_socket_ttl: 2_000 },
    log: { level: 127 as never }, // errors are thrown to us; the client's own console lines would be a second report
  })
  return {
    rows: <T>(query: ClickHouseQuery, call: Call) =>
      withinBudget(call, clock, async (signal) => {
        const result = await client.query({ ...requestOf(query, signal), query: query.sql, format: 'JSONEachRow' })
        // Once an answer has begun, the client no longer looks at the signal.
        const leave = (): void => result.close()
        signal.addEventListener('abort', leave)
        if (signal.aborted) leave()
        return await result.json<T>().finally(() => signal.removeEventListener('abort', leave))
      }),
    stream: (query, call) =>
      translated(async () => {
        const sql = `${query.sql} FORMAT ${query.format}`
        const { stream } = await client.exec({ ...requestOf(query, call.signal), query: sql })
        return addAbortSignal(call.signal, stream)
      }),
    command: (query, call) =>
      withinBudget(call, clock, async (signal) => {
        await client.command({ ...requestOf(query, signal), query: query.sql })
      }),
    insert: (insert, call) => withinBudget(call, clock, (signal) => insertRows(client, insert, signal)),
    close: () => client.close(),
  }
}

function requestOf({ params, settings }: Pick<ClickHouseQuery, 'params' | 'settings'>, signal: AbortSignal) {
  return {
    abort_signal: signal,
    ...(params && { query_params: params as Record<string, unknown> }),
    ...(settings && { clickhouse_settings: settings }),
  }
}

async function insertRows(
  client: ClickHouseClient,
  insert: Parameters<ClickHouse['insert']>[0],
  signal: AbortSignal,
): Promise<{ writtenRows: number }> {
  const body = insert.body instanceof Uint8Array ? [insert.body] : insert.body
  const result = await client.exec({
    query: `INSERT INTO ${insert.table} (${insert.columns.join(', ')}) FORMAT ${insert.format}`,
    values: Readable.from(body, { objectMode: false }),
    clickhouse_settings: { ...insert.settings, async_insert: 0 },
    abort_signal: signal,
  })
  for await (const _ of result.stream); // an insert answers nothing; reading to the end frees the connection
  return { writtenRows: Number(result.summary?.written_rows ?? 0) }
}

/** @throws AppError DEADLINE_EXCEEDED when the budget ends first: an insert may have happened all the same */
async function withinBudget<T>(call: Call, clock: Clock, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), remaining(call, clock))
  try {
    return await translated(() => work(AbortSignal.any([call.signal, late.signal])))
  } catch (error) {
    if (call.signal.aborted) throw whyAborted(call.signal, error)
    if (!late.signal.aborted) throw error
    throw new AppError('DEADLINE_EXCEEDED', 'ClickHouse did not answer in time', { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ServerError) {
      const number = Number(error.code)
      throw new ClickHouseError(number, error.type ?? 'UNKNOWN', error.message, transient.has(number))
    }
    if (codeOf(error) !== 'INTERNAL') throw error
    if (error instanceof Error && error.message.includes('aborted')) {
      throw new AppError('CANCELLED', 'The caller went away', { cause: error })
    }
    throw new AppError('UNAVAILABLE', 'ClickHouse is not reachable', { cause: error, retryAfterMs: 1000 })
  }
}
