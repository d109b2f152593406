import {
  AppError,
  type Call,
  type ClickHouse,
  type ClickHouseError,
  type ClickHouseQuery,
  type Clock,
  checkCall,
  codeOf,
  remaining,
  whyAborted,
} from '@splitstream/kernel'

/** What one query may use. The call's budget shortens its time further. */
export interface ReadLimits {
  readonly maxExecutionMs: number
  readonly maxMemoryBytes: number
  readonly maxRowsToRead: number
  /** Size of an answer before it is encoded. */
  readonly maxResultBytes: number
  readonly maxThreads?: number | undefined
}

/** What the engine is given less than the caller, so that its own answer arrives in time. */
const marginMs = 50

/**
 * Runs a query within the limits and the call's budget; when the caller goes or the budget ends, the engine stops.
 * @throws AppError QUERY_TOO_COSTLY, DEADLINE_EXCEEDED, CANCELLED, OVERLOADED, UNAVAILABLE; INTERNAL for what is our fault
 */
export async function runQuery<T>(
  clickhouse: ClickHouse,
  query: ClickHouseQuery,
  limits: ReadLimits,
  call: Call,
  clock: Clock,
): Promise<T[]> {
  checkCall(call, clock)
  const budget = Math.max(1, remaining(call, clock) - marginMs)
  const settings = {
    ...query.settings,
    max_execution_time: Math.min(limits.maxExecutionMs, budget) / 1000,
    timeout_overflow_mode: 'throw',
    max_memory_usage: limits.maxMemoryBytes,
    max_rows_to_read: limits.maxRowsToRead,
    read_overflow_mode: 'throw',
    max_result_bytes: limits.maxResultBytes,
    result_overflow_mode: 'throw',
    output_format_json_quote_64bit_integers: 1,
    output_format_json_quote_denormals: 0,
    ...(limits.maxThreads !== undefined && { max_threads: limits.maxThreads }),
  }
  try {
    return await clickhouse.rows<T>({ ...query, settings }, call)
  } catch (error) {
    if (call.signal.aborted) throw whyAborted(call.signal, error)
    if (codeOf(error) === 'DEADLINE_EXCEEDED') throw deadline(error)
    throw translate(error, budget <= limits.maxExecutionMs)
  }
}

const deadline = (cause: unknown): AppError =>
  new AppError('DEADLINE_EXCEEDED', 'The query did not end within the time of the request', { cause })

/** Engine codes: 158, 307, 396 too much read or answered, 241 memory, 159 and 160 time, 202 too many queries, 394 killed. */
function translate(error: unknown, budgetWasShorter: boolean): unknown {
  if (!isEngineError(error)) return error
  const costly = (what: string): AppError =>
    new AppError('QUERY_TOO_COSTLY', `The query ${what}; narrow its range or filters, or lower its limit`, {
      cause: error,
    })
  switch (error.number) {
    case 158:
    case 307:
      return costly('reads more events than one query may')
    case 396:
      return costly('answers with more bytes than one answer may have')
    case 241:
      return error.message.includes('(total)') ? busy(error) : costly('needs more memory than one query may have')
    case 159:
    case 160:
      return budgetWasShorter ? deadline(error) : costly('needs more time than one query may have')
    case 202:
      return busy(error)
  }
  if (error.retryable)
    return new AppError('UNAVAILABLE', 'The store cannot answer now', { cause: error, retryAfterMs: 1000 })
  return new AppError('INTERNAL', 'The store refused the query', { cause: error })
}

const busy = (cause: unknown): AppError =>
  new AppError('OVERLOADED', 'The store is busy', { cause, retryAfterMs: 1000 })

function isEngineError(error: unknown): error is ClickHouseError {
  return error instanceof Error && codeOf(error) === 'INTERNAL' && 'number' in error && typeof error.number === 'number'
}
