import { dataKind, flagTimeAssigned, rowColumns } from '@splitstream/ingest/contract'
import type { Call, ClickHouse } from '@splitstream/kernel'
import { eventsTable, insertSettings } from '../../domain/table.ts'

/** An event for the tests of the read side; what is left out has a default. */
export interface TestEvent {
  readonly tenant?: string
  readonly id: string
  readonly source?: string
  readonly type?: string
  readonly subject?: string
  /** RFC 3339 with ms at most, or µs since the Unix epoch. */
  readonly time?: string | number
  readonly key?: bigint
  /** ms since the Unix epoch. */
  readonly received?: number
  /** It came without a time. */
  readonly untimed?: boolean
  readonly datacontenttype?: string
  readonly dataschema?: string
  readonly extensions?: string
  readonly kind?: keyof typeof dataKind
  /** JSON text for kind json, the default. */
  readonly data?: string
}

/** Inserts events as the writer does: RowBinary, offsets as the place in the list plus `firstOffset`. */
export async function insertEvents(
  clickhouse: ClickHouse,
  events: readonly TestEvent[],
  call: Call,
  firstOffset = 0,
): Promise<void> {
  const body = Buffer.concat(events.map((event, i) => encode(event, firstOffset + i)))
  const settings = { ...insertSettings, insert_deduplication_token: `test-${firstOffset}-${events.length}` }
  await clickhouse.insert({ table: eventsTable, columns: rowColumns, format: 'RowBinary', body, settings }, call)
}

/** A row; its partition is the offset modulo 4. */
export function encode(event: TestEvent, offset: number): Buffer {
  const time = event.time ?? '2001-02-03T04:05:06Z'
  const fixed = Buffer.alloc(38)
  fixed.writeUInt32LE(offset % 4, 0)
  fixed.writeBigUInt64LE(BigInt(offset), 4)
  fixed.writeBigUInt64LE(event.key ?? BigInt(offset) * 7_919n, 12)
  fixed.writeBigInt64LE(BigInt(typeof time === 'number' ? time : Date.parse(time) * 1000), 20)
  fixed.writeBigInt64LE(BigInt(event.received ?? Date.UTC(2026, 0, 1)) * 1000n + BigInt(offset), 28)
  fixed[36] = dataKind[event.kind ?? (event.data === undefined ? 'none' : 'json')]
  fixed[37] = event.untimed ? flagTimeAssigned : 0
  const strings = [
    event.tenant ?? 'acme',
    event.id,
    event.source ?? '/test',
    event.type ?? 'test',
    event.subject ?? '',
    event.datacontenttype ?? '',
    event.dataschema ?? '',
    event.extensions ?? '',
    event.data ?? '',
  ]
  return Buffer.concat([fixed, ...strings.map(encodeString)])
}

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text)
  const length: number[] = []
  let rest = bytes.length
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80)
  return Buffer.concat([Buffer.from([...length, rest]), bytes])
}
