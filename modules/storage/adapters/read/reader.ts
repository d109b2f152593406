import {
  AppError,
  type Call,
  type ClickHouse,
  ClickHouseError,
  type ClickHouseQuery,
  type Clock,
  encodePosition,
  type Position,
  remaining,
} from '@splitstream/kernel'
import type { StorageRead } from '../../contract/index.ts'
import { aggregateSql, readTable } from './aggregate.ts'
import { type ListRow, listSql, placeOf, toEvent } from './list.ts'

export interface ReadLimits {
  /** Time limit of a query, seconds; the call's budget may be shorter. */
  readonly maxSeconds: number
  readonly maxMemoryBytes: number
}

export interface ReaderDeps {
  readonly clickhouse: ClickHouse
  readonly clock: Clock
  /** What is confirmed now; asked before the query runs, so that the answer covers at least that. */
  confirmed(): Position
  readonly limits: ReadLimits
}

/** Limits of rows, memory or time that the query would break, by engine code. */
const costly = new Set([158, 241, 307, 396])
/** Types that do not fit: the client compared what cannot be compared. */
const unfit = new Set([43, 53, 70, 386])

/** The read half of storage.read: typed questions in, bound SQL to the engine, JSON values out. */
export function createReader(deps: ReaderDeps): Pick<StorageRead, 'list' | 'aggregate'> {
  const run = async <T>(query: ClickHouseQuery, call: Call): Promise<T[]> => {
    // The engine gives up before the caller does: a query that nobody waits for must not go on.
    const seconds = Math.min(deps.limits.maxSeconds, Math.max(1, Math.floor(remaining(call, deps.clock) / 1000)))
    const settings = {
      max_execution_time: seconds,
      max_memory_usage: deps.limits.maxMemoryBytes,
      enable_extended_results_for_datetime_functions: 1,
      output_format_json_quote_denormals: 0,
    }
    try {
      return await deps.clickhouse.rows<T>({ ...query, settings }, call)
    } catch (error) {
      throw translated(error)
    }
  }
  return {
    list: async (input, call) => {
      const position = encodePosition(deps.confirmed())
      const rows = await run<ListRow>(listSql(input, call.tenant), call)
      const page = rows.slice(0, input.limit)
      const last = page.at(-1)
      return { events: page.map(toEvent), next: rows.length > input.limit && last ? placeOf(last) : null, position }
    },
    aggregate: async (input, call) => {
      const position = encodePosition(deps.confirmed())
      const { sql, params, outputs } = aggregateSql(input, call.tenant)
      const rows = await run<Record<string, unknown>>({ sql, params }, call)
      return { ...readTable(outputs, rows), position }
    },
  }
}

function translated(error: unknown): unknown {
  if (!(error instanceof ClickHouseError)) return error
  const cause = { cause: error }
  if (error.number === 159) return new AppError('DEADLINE_EXCEEDED', 'The query took too long; narrow the range', cause)
  if (costly.has(error.number))
    return new AppError('QUERY_TOO_COSTLY', 'The query needs more memory or rows than allowed; narrow it', cause)
  if (unfit.has(error.number))
    return new AppError('UNPROCESSABLE', 'The query compares values of types that do not fit', cause)
  return error.retryable
    ? new AppError('UNAVAILABLE', 'ClickHouse cannot answer now', { ...cause, retryAfterMs: 1000 })
    : error
}
