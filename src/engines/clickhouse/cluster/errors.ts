import { AppError, ClickHouseError } from '@splitstream/kernel'

/**
 * Engine codes that say something about the replica and not about the statement: it stops, has no Keeper, is read-only, full,
 * behind, cut off, or its tables are not made yet. Not: overload, which the same load would carry to the others.
 */
const codes = new Set([3, 60, 81, 209, 210, 225, 236, 242, 243, 279, 289, 999])

/** Whether another replica may do better with the same statement. */
export function isOfReplica(error: unknown): boolean {
  if (error instanceof ClickHouseError) return codes.has(error.number)
  return error instanceof AppError && error.code === 'UNAVAILABLE'
}
