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
  isSampled,
  noMetrics,
  noTracer,
  remaining,
  systemClock,
  whyAborted,
} from '@splitstream/kernel'
import { type ObserveDeps, Statements } from './observe.ts'
import { insertSettings, readSettings } from './pinned.ts'

export interface ClickHouseConnection {
  readonly url: string
  readonly username: string
  readonly password: string
  readonly database: string
  readonly maxConnections?: number
}

/** Engine codes that pass: overload, memory, network, replicas, shutdown, read-only and too many parts for now. */
const transient = new Set([
  3, 74, 76, 159, 160, 164, 201, 202, 203, 209, 210, 225, 236, 241, 242, 243, 244, 252, 279, 285, 286, 306, 319, 394,
  425, 439, 473, 499, 516, 574, 630, 722, 723, 735, 745, 999, 1000,
]) // prettier-ignore

/**
 * The driver of modules, on an unmodified @clickhouse/client; the same for the embedded engine and for servers. A call ends
 * with its signal, and all but streams (which end with their reader) with its budget, however the engine hangs.
 */
export function connectClickHouse(
  o: ClickHouseConnection,
  clock: Clock = systemClock,
  observed: Omit<ObserveDeps, 'clock'> = { metrics: noMetrics, tracer: noTracer },
): ClickHouse & { close(): Promise<void> } {
  const statements = new Statements({ clock, ...observed })
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
  const rows = <T>(query: ClickHouseQuery, call: Call): Promise<T[]> =>
    withinBudget(call, clock, (signal) =>
      againIfCut(signal, async () => {
        const result = await client.query({
          ...requestOf(query, signal, call),
          query: query.sql,
          format: 'JSONEachRow',
        })
        // Once an answer has begun, the client no longer looks at the signal.
        const leave = (): void => result.close()
        signal.addEventListener('abort', leave)
        if (signal.aborted) leave()
        return await result.json<T>().finally(() => signal.removeEventListener('abort', leave))
      }),
    )
  const stream: ClickHouse['stream'] = (query, call) =>
    translated(async () => {
      const sql = `${query.sql} FORMAT ${query.format}`
      const { stream } = await client.exec({ ...requestOf(query, call.signal, call), query: sql })
      return addAbortSignal(call.signal, stream)
    })
  const command: ClickHouse['command'] = (query, call) =>
    withinBudget(call, clock, async (signal) => {
      await client.command({ ...requestOf(query, signal, call), query: query.sql })
    })
  const insert: ClickHouse['insert'] = (rows, call) =>
    withinBudget(call, clock, (signal) => insertRows(client, rows, signal, call, clock))
  return {
    rows: <T>(query: ClickHouseQuery, call: Call) =>
      statements.run(query.sql, undefined, call, (within) => rows<T>(query, within)),
    stream: (query, call) => statements.run(query.sql, undefined, call, (within) => stream(query, within)),
    command: (query, call) => statements.run(query.sql, undefined, call, (within) => command(query, within)),
    insert: (rows, call) => statements.run('INSERT', rows.table, call, (within) => insert(rows, within)),
    close: () => client.close(),
  }
}

function requestOf(
  { params, settings }: Pick<ClickHouseQuery, 'params' | 'settings'>,
  signal: AbortSignal,
  { traceparent }: Call,
) {
  return {
    abort_signal: signal,
    // A server adds spans of its own to the trace (system.opentelemetry_span_log).
    ...(isSampled(traceparent) && { http_headers: { traceparent } }),
    ...(params && { query_params: params as Record<string, unknown> }),
    clickhouse_settings: { ...readSettings, ...settings },
  }
}

async function insertRows(
  client: ClickHouseClient,
  insert: Parameters<ClickHouse['insert']>[0],
  signal: AbortSignal,
  call: Call,
  clock: Clock,
): Promise<{ writtenRows: number }> {
  const body = insert.body instanceof Uint8Array ? [insert.body] : insert.body
  // A server ends by itself what its caller gave up, also when it cannot hear of that.
  const seconds = Math.ceil(remaining(call, clock) / 1_000)
  const result = await client.exec({
    query: `INSERT INTO ${insert.table} (${insert.columns.join(', ')}) FORMAT ${insert.format}`,
    values: Readable.from(body, { objectMode: false }),
    ...requestOf({ settings: { ...insert.settings, ...insertSettings, max_execution_time: seconds } }, signal, call),
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

/**
 * A read whose connection is cut is made once more. A server, or a balancer before it, may close a kept connection at the moment
 * at which it is used again (RFC 9112, 9.3.1), and nothing of an answer was handed on. Not a server that cannot be connected to.
 */
async function againIfCut<T>(signal: AbortSignal, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (signal.aborted || !isCut(error)) throw error
    return await read()
  }
}

const isCut = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ServerError) {
      const number = Number(error.code)
      throw new ClickHouseError(number, error.type ?? 'UNKNOWN', error.message, transient.has(number))
    }
    if (codeOf(error) !== 'INTERNAL') throw error
    // Node calls an answer that is cut "aborted", too.
    if (error instanceof Error && error.message.includes('aborted') && !isCut(error)) {
      throw new AppError('CANCELLED', 'The caller went away', { cause: error })
    }
    throw new AppError('UNAVAILABLE', 'ClickHouse is not reachable', { cause: error, retryAfterMs: 1000 })
  }
}
