import { Readable } from 'node:stream'
import { type ClickHouseClient, createClient, ClickHouseError as ServerError } from '@clickhouse/client'
import {
  AppError,
  type Call,
  type ClickHouse,
  ClickHouseError,
  type ClickHouseQuery,
  codeOf,
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

/** The driver of modules, on an unmodified @clickhouse/client; the same for the embedded engine and for servers. */
export function connectClickHouse(o: ClickHouseConnection): ClickHouse & { close(): Promise<void> } {
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
      translated(async () => {
        const result = await client.query({ ...requestOf(query, call), query: query.sql, format: 'JSONEachRow' })
        return result.json<T>()
      }),
    stream: (query, call) =>
      translated(async () => {
        const sql = `${query.sql} FORMAT ${query.format}`
        const { stream } = await client.exec({ ...requestOf(query, call), query: sql })
        return stream
      }),
    command: (query, call) =>
      translated(async () => {
        await client.command({ ...requestOf(query, call), query: query.sql })
      }),
    insert: (insert, call) => translated(() => insertRows(client, insert, call)),
    close: () => client.close(),
  }
}

function requestOf({ params, settings }: Pick<ClickHouseQuery, 'params' | 'settings'>, call: Call) {
  return {
    abort_signal: call.signal,
    ...(params && { query_params: params as Record<string, unknown> }),
    ...(settings && { clickhouse_settings: settings }),
  }
}

async function insertRows(
  client: ClickHouseClient,
  insert: Parameters<ClickHouse['insert']>[0],
  call: Call,
): Promise<{ writtenRows: number }> {
  const body = insert.body instanceof Uint8Array ? [insert.body] : insert.body
  const result = await client.exec({
    query: `INSERT INTO ${insert.table} (${insert.columns.join(', ')}) FORMAT ${insert.format}`,
    values: Readable.from(body, { objectMode: false }),
    clickhouse_settings: { ...insert.settings, async_insert: 0 },
    abort_signal: call.signal,
  })
  for await (const _ of result.stream); // an insert answers nothing; reading to the end frees the connection
  return { writtenRows: Number(result.summary?.written_rows ?? 0) }
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
