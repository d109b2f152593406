import { ClickHouseError, codeOf, type Verdict } from '@splitstream/kernel'

/** Codes of the catalogue that say that what was called is not well. Others are refusals: it works, and was asked for the wrong thing. */
const bad = new Set(['UNAVAILABLE', 'UNKNOWN_OUTCOME', 'DISK_FULL', 'INTERNAL'])
/** Its caller left, or there was too much at once: neither good nor bad. */
const none = new Set(['CANCELLED', 'STOPPING', 'OVERLOADED'])

/** @param slowMs a budget that ends before was too small, and says nothing about who was called */
export function verdictOf(error: unknown, ms: number, slowMs: number): Verdict {
  const code = codeOf(error)
  if (code === 'DEADLINE_EXCEEDED') return ms >= slowMs ? 'bad' : 'none'
  if (none.has(code)) return 'none'
  return bad.has(code) ? 'bad' : 'good'
}

/**
 * ClickHouse is full or short of something, and the same statement may pass later: TIMEOUT_EXCEEDED, TOO_SLOW,
 * TOO_MANY_SIMULTANEOUS_QUERIES, SOCKET_TIMEOUT, NETWORK_ERROR, MEMORY_LIMIT_EXCEEDED, NOT_ENOUGH_SPACE, TOO_MANY_PARTS,
 * TOO_FEW_LIVE_REPLICAS, UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE, QUERY_WAS_CANCELLED, KEEPER_EXCEPTION.
 */
const passing = new Set([159, 160, 202, 209, 210, 241, 243, 252, 285, 286, 394, 999])

/** What a query is refused for that asks for more than its limits: TOO_MANY_ROWS, …, and of the above what one query can cause. */
const limits = new Set([158, 159, 160, 202, 241, 306, 307, 394, 396])

/** Refused whatever the rows are: NO_SUCH_COLUMN_IN_TABLE, UNKNOWN_IDENTIFIER, UNKNOWN_TABLE, UNKNOWN_DATABASE, ACCESS_DENIED. */
const misfit = new Set([16, 47, 60, 81, 497])

/** An insert failed for want of something that may be there again in a moment: memory, a quorum, a way to the server. */
export const isPassing = (error: unknown): boolean =>
  error instanceof ClickHouseError ? passing.has(error.number) : codeOf(error) === 'UNAVAILABLE'

export function readVerdict(error: unknown, ms: number, slowMs: number): Verdict {
  if (!(error instanceof ClickHouseError)) return verdictOf(error, ms, slowMs)
  if (limits.has(error.number)) return 'none'
  return error.retryable || misfit.has(error.number) ? 'bad' : 'good'
}

/** A row that cannot be taken is nothing against the engine. */
export function insertVerdict(error: unknown, ms: number, slowMs: number): Verdict {
  if (!(error instanceof ClickHouseError)) return verdictOf(error, ms, slowMs)
  return error.retryable || misfit.has(error.number) ? 'bad' : 'good'
}
