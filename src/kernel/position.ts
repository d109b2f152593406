import { AppError } from './errors.ts'
import { partitionsPerLog } from './log.ts'

/**
 * A point in the log: for each partition that matters, the offset after the last event covered. Partitions that are not
 * named do not matter. Clients get it as an opaque token.
 */
export type Position = ReadonlyMap<number, number>

/**
 * `p1` plus partition and next offset in base 36: `p1-0.zz-1.3f`. Opaque to clients; no secret in it. The position of
 * nothing is the beginning of partition 0, which every position covers.
 */
export function encodePosition(position: Position): string {
  if (position.size === 0) return 'p1-0.0'
  let token = 'p1'
  for (const [partition, next] of position) token += `-${partition.toString(36)}.${next.toString(36)}`
  return token
}

const entry = /^([0-9a-z]{1,4})\.([0-9a-z]{1,11})$/

/** @throws AppError POSITION_INVALID */
export function decodePosition(token: string): Position {
  const [version, ...parts] = token.split('-')
  const position = new Map<number, number>()
  if (version !== 'p1' || parts.length === 0 || parts.length > 1024) throw notOurs()
  for (const part of parts) {
    const match = entry.exec(part)
    if (!match) throw notOurs()
    const partition = Number.parseInt(match[1] ?? '', 36)
    const next = Number.parseInt(match[2] ?? '', 36)
    if (!Number.isSafeInteger(next) || position.has(partition)) throw notOurs()
    position.set(partition, next)
  }
  return position
}

/** @throws AppError POSITION_INVALID when it is not a position of a log of so many partitions: nothing would ever reach it */
export function checkPosition(token: string, partitions: number): void {
  for (const partition of decodePosition(token).keys()) {
    if (partition >= logs * partitionsPerLog || partition % partitionsPerLog >= partitions) throw notOurs()
  }
}

/** Kinds of log that there are. */
const logs = 2

const notOurs = (): AppError => new AppError('POSITION_INVALID', 'The position is not one of ours')

/** True when `position` covers everything that `wanted` names. */
export function covers(position: Position, wanted: Position): boolean {
  for (const [partition, next] of wanted) if ((position.get(partition) ?? 0) < next) return false
  return true
}
