import { type Call, type ClickHouse, type Clock, codeOf, encodePosition, type Position } from '@splitstream/kernel'
import type { FollowedEvent } from '../../contract/index.ts'
import { compileDistance, compileFollow, type Followed, type Window, windowsBetween } from './compile-follow.ts'
import { type ListedRow, readEvent } from './read-event.ts'
import { type ReadLimits, runQuery } from './run-query.ts'

/** Events of one page, about. */
export const pageEvents = 500
/** Of one page, so that what many slow readers hold stays small; a single event may be larger. */
const pageBytes = 4 << 20

export interface PageDeps {
  readonly clickhouse: ClickHouse
  readonly clock: Clock
  readonly limits: ReadLimits
}

export interface Page {
  readonly events: readonly FollowedEvent[]
  readonly upTo: Position
  /** Events that the next page may have. */
  readonly most: number
}

/**
 * The next events between two positions, `most` of them or some more. `upTo` lies before `to` when there are more than one page of them. What lies below a
 * confirmed position is there and never changes, so two statements see the same.
 * @throws AppError as runQuery does
 */
export async function readPage(
  deps: PageDeps,
  filters: Followed['filters'],
  between: { readonly from: Position; readonly to: Position; readonly most: number },
  call: Call,
): Promise<Page> {
  const followed = { tenant: call.tenant, filters }
  const windows = windowsBetween(between.from, between.to)
  if (windows.length === 0) return { events: [], upTo: between.from, most: between.most }
  for (let { most } = between; ; most = Math.ceil(most / 4)) {
    const cut = await cutTo(deps, followed, windows, most, call)
    try {
      const limits = most === 1 ? deps.limits : { ...deps.limits, maxResultBytes: pageBytes }
      const rows = await runQuery<ListedRow>(deps.clickhouse, compileFollow(followed, cut), limits, call, deps.clock)
      return { ...pageOf(rows, between.from, cut), most: Math.min(pageEvents, most * 2) }
    } catch (error) {
      // Large events: fewer of them.
      if (most === 1 || codeOf(error) !== 'QUERY_TOO_COSTLY') throw error
    }
  }
}

/** The windows as far as they hold about `most` events: with equal distances one more for each partition. */
async function cutTo(
  { clickhouse, clock, limits }: PageDeps,
  followed: Followed,
  windows: readonly Window[],
  most: number,
  call: Call,
): Promise<readonly Window[]> {
  // There is at most one event at an offset.
  if (windows.reduce((sum, { from, to }) => sum + to - from, 0) <= most) return windows
  const query = compileDistance(followed, windows, most)
  const [row] = await runQuery<{ d: string }>(clickhouse, query, limits, call, clock)
  if (!row) return windows
  return windows.map((window) => ({ ...window, to: Math.min(window.to, window.from + Number(row.d) + 1) }))
}

/** Each event with the position behind it: windows before its own are done by then, those after it are not begun. */
function pageOf(rows: readonly ListedRow[], from: Position, windows: readonly Window[]): Omit<Page, 'most'> {
  const passed = new Map(from)
  const events: FollowedEvent[] = []
  let at = 0
  for (const window of windows) {
    for (; at < rows.length && Number(rows[at]!.partition) === window.partition; at++) {
      passed.set(window.partition, Number(rows[at]!.offset) + 1)
      events.push({ event: readEvent(rows[at]!), position: encodePosition(passed) })
    }
    passed.set(window.partition, window.to)
  }
  return { events, upTo: passed }
}
