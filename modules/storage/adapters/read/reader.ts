import { type ClickHouse, type Clock, encodePosition, type Position, systemClock } from '@splitstream/kernel'
import type { StorageRead } from '../../contract/index.ts'
import { compileAggregate } from './compile-aggregate.ts'
import { compileList } from './compile-list.ts'
import { type ListedRow, placeOf, readEvent } from './read-event.ts'
import { readTable } from './read-table.ts'
import { type ReadLimits, runQuery } from './run-query.ts'

export type { ReadLimits } from './run-query.ts'

export interface ReaderDeps {
  readonly clickhouse: ClickHouse
  /** Up to where everything is visible. Asked before each query, so that the answer is complete at least up to there. */
  readonly confirmed: () => Position
  readonly limits: ReadLimits
  readonly clock?: Clock
}

/** The read half of storage.read: input → one SQL statement with bound parameters → answer. It only reads. */
export function createReader(deps: ReaderDeps): Pick<StorageRead, 'list' | 'aggregate'> {
  const { clickhouse, confirmed, limits, clock = systemClock } = deps
  return {
    async list(input, call) {
      const query = compileList(input, call.tenant)
      const position = encodePosition(confirmed())
      const rows = await runQuery<ListedRow>(clickhouse, query, limits, call, clock)
      const page = rows.slice(0, input.limit)
      const last = page.at(-1)
      return { events: page.map(readEvent), next: rows.length > page.length && last ? placeOf(last) : null, position }
    },
    async aggregate(input, call) {
      const { query, columns } = compileAggregate(input, call.tenant)
      const position = encodePosition(confirmed())
      const rows = await runQuery<Record<string, unknown>>(clickhouse, query, limits, call, clock)
      return { ...readTable(rows, columns, input.interval), position }
    },
  }
}
