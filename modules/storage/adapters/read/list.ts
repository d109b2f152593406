import type { DataKind, EventRow } from '@splitstream/ingest/contract'
import type { CloudEvent, ListInput, ListPlace } from '../../contract/index.ts'
import { cloudEventText } from '../../domain/cloud-event.ts'
import { Binder, whereSql } from './sql.ts'

/** A row as the listing selects it; 64-bit integers come as strings. */
export interface ListRow extends Omit<EventRow, 'key' | 'time' | 'received' | 'timeAssigned' | 'kind'> {
  k: string
  t: string
  flags: number
  kind: DataKind
}

/** Newest first by (time, key), below `before`; one row more than asked tells whether there is a next page. */
export function listSql(input: ListInput, tenant: string) {
  const binder = new Binder()
  let where = whereSql(tenant, input.range, input.filters, binder)
  if (input.before) {
    const time = `fromUnixTimestamp64Micro(${binder.bind(input.before.time, 'Int64')}, 'UTC')`
    where += `\n  AND time <= ${time} AND (time < ${time} OR _key < ${binder.bind(input.before.key, 'UInt64')})`
  }
  const sql = `SELECT _key AS k, toUnixTimestamp64Micro(time) AS t, flags, kind, tenant, id, source, type, subject,
  datacontenttype, dataschema, extensions, data
FROM events
WHERE ${where}
ORDER BY time DESC, _key DESC
LIMIT ${binder.bind(input.limit + 1, 'UInt32')}`
  return { sql, params: binder.params }
}

export function toEvent(row: ListRow): CloudEvent {
  const event = { ...row, key: 0n, time: Number(row.t), received: 0, timeAssigned: false }
  return JSON.parse(cloudEventText(event)) as CloudEvent
}

export const placeOf = (row: ListRow): ListPlace => ({ time: row.t, key: row.k })
