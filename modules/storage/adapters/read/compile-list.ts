import type { ClickHouseQuery } from '@splitstream/kernel'
import type { ListInput, ListPlace } from '../../contract/index.ts'
import { Bindings } from './bindings.ts'
import { instantLiteral } from './conditions.ts'
import { fromEvents } from './from-events.ts'
import { refuse } from './problems.ts'

const maxLimit = 10_000

/** Of an event as readEvent and placeOf take it. */
export const listedColumns = `toString(toUnixTimestamp64Micro(time)) AS at, toString(_key) AS key, toString(_log_partition) AS partition,
       toString(_log_offset) AS offset, kind, id, source, type, subject, datacontenttype, dataschema, extensions, data`

/** Newest first, continued below a place; one row more than asked, which tells whether there is a next page. */
export function compileList(input: ListInput, tenant: string): ClickHouseQuery {
  if (!(Number.isInteger(input.limit) && input.limit >= 1 && input.limit <= maxLimit)) {
    refuse('limit', `the limit is a whole number from 1 to ${maxLimit}`)
  }
  const bindings = new Bindings()
  const below = input.before === undefined ? [] : belowPlace(input.before, bindings)
  const sql = [
    `SELECT ${listedColumns}`,
    fromEvents(tenant, input, bindings, below),
    `ORDER BY time DESC, _key DESC, _log_partition DESC, _log_offset DESC`,
    `LIMIT ${bindings.bind('UInt32', input.limit + 1)}`,
  ]
  return { sql: sql.join('\n'), params: bindings.params }
}

/** The first condition is what the primary key is good for; a comparison of tuples would not use it. */
function belowPlace(place: ListPlace, bindings: Bindings): string[] {
  for (const text of [place.time, place.key, place.partition, place.offset]) {
    if (!/^-?\d{1,20}$/.test(text)) refuse('before', 'the place is not one of ours')
  }
  const time = instantLiteral(Number(place.time), bindings)
  const rest = [
    bindings.bind('UInt64', place.key),
    bindings.bind('UInt32', Number(place.partition)),
    bindings.bind('UInt64', place.offset),
  ]
  return [`time <= ${time}`, `(time < ${time} OR (_key, _log_partition, _log_offset) < (${rest.join(', ')}))`]
}
