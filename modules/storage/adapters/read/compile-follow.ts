import type { ClickHouseQuery, Position } from '@splitstream/kernel'
import type { Filter } from '../../contract/index.ts'
import { Bindings } from './bindings.ts'
import { listedColumns } from './compile-list.ts'
import { fromEvents } from './from-events.ts'

/** Offsets from ≤ offset < to of one partition. */
export interface Window {
  readonly partition: number
  readonly from: number
  readonly to: number
}

/** What lies between two positions, by partition. Partitions that `from` does not name count from their beginning. */
export function windowsBetween(from: Position, to: Position): Window[] {
  return [...to]
    .map(([partition, next]) => ({ partition, from: from.get(partition) ?? 0, to: next }))
    .filter((window) => window.from < window.to)
    .toSorted((a, b) => a.partition - b.partition)
}

export interface Followed {
  readonly tenant: string
  readonly filters: readonly Filter[]
}

/**
 * How far the `nth` event of the windows lies from the beginning of its own, as `d`; no row when there are fewer. All windows
 * are gone through at the same pace, so that a backlog of one partition does not hold up the others.
 */
export function compileDistance(followed: Followed, windows: readonly Window[], nth: number): ClickHouseQuery {
  const bindings = new Bindings()
  const starts = windows.map((window) => ({
    is: `_log_partition = ${bindings.bind('UInt32', window.partition)}`,
    from: bindings.bind('UInt64', window.from),
  }))
  const last = starts.pop()!
  const cases = starts.flatMap(({ is, from }) => [is, from])
  const start = cases.length === 0 ? last.from : `multiIf(${[...cases, last.from].join(', ')})`
  const sql = [
    `SELECT _log_offset - ${start} AS d`,
    fromWindows(followed, windows, bindings),
    `ORDER BY d LIMIT 1 OFFSET ${bindings.bind('UInt32', nth - 1)}`,
  ]
  return { sql: sql.join('\n'), params: bindings.params }
}

/** All events of the windows, in the order of the log. */
export function compileFollow(followed: Followed, windows: readonly Window[]): ClickHouseQuery {
  const bindings = new Bindings()
  const sql = [
    `SELECT ${listedColumns}`,
    fromWindows(followed, windows, bindings),
    'ORDER BY _log_partition, _log_offset',
  ]
  return { sql: sql.join('\n'), params: bindings.params }
}

function fromWindows({ tenant, filters }: Followed, windows: readonly Window[], bindings: Bindings): string {
  const ranges = windows.map(({ partition, from, to }) => {
    const [first, next] = [bindings.bind('UInt64', from), bindings.bind('UInt64', to)]
    return `(_log_partition = ${bindings.bind('UInt32', partition)} AND _log_offset >= ${first} AND _log_offset < ${next})`
  })
  return fromEvents(tenant, { range: {}, filters }, bindings, [`(${ranges.join(' OR ')})`])
}
