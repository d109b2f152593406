import { openRecord, stampRow } from '@splitstream/ingest/contract'
import { BatchReader } from '../../modules/ingest/domain/batch.ts'
import { EventEncoder } from '../../modules/ingest/domain/event-encoder.ts'
import { batchBody, type Series } from './payload.ts'
import { eventsPerBatch } from './plan.ts'

/** Rows of one partition as the server would insert them: one RowBinary body under one token. */
export interface EngineBlock {
  readonly body: Buffer
  readonly rows: number
  readonly token: string
}

interface Pile {
  parts: Uint8Array[]
  rows: number
  offset: number
}

/** As in the server: LOG_PARTITIONS and STORAGE_BLOCK_EVENTS by default, and the tenant of the operator's key. */
const partitions = 2
const blockRows = 65_536
const tenant = 'default'

/** Encodes the events of a series with the ingest module's own encoder, and cuts them into blocks. */
export function encodeBlocks(series: Series, events: number): EngineBlock[] {
  const encoder = new EventEncoder(partitions, { maxNameBytes: 1024, maxAheadMicros: 86_400e6 })
  const reader = new BatchReader(encoder, { maxEvents: 50_000, maxEventBytes: 1 << 20 })
  const piles: Pile[] = Array.from({ length: partitions }, () => ({ parts: [], rows: 0, offset: 0 }))
  const blocks: EngineBlock[] = []
  const cut = (partition: number, pile: Pile): void => {
    const token = `${series.tag}:${partition}:${pile.offset - pile.rows}-${pile.offset - 1}`
    blocks.push({ body: Buffer.concat(pile.parts), rows: pile.rows, token })
    pile.parts = []
    pile.rows = 0
  }
  for (let first = 0; first < events; first += eventsPerBatch) {
    encoder.begin(tenant, series.fromMs * 1000, false)
    const { rejected } = reader.lines(batchBody(series, first, Math.min(eventsPerBatch, events - first)))
    if (rejected > 0) throw new Error('the encoder refused events of the bench')
    for (const [partition, builder] of encoder.builders.entries()) {
      if (builder.count > 0) addRows(piles[partition]!, builder.finish(), partition, cut)
    }
  }
  for (const [partition, pile] of piles.entries()) if (pile.rows > 0) cut(partition, pile)
  return blocks
}

function addRows(pile: Pile, bytes: Uint8Array, partition: number, cut: (partition: number, pile: Pile) => void): void {
  const record = openRecord(bytes)
  for (let from = 0; from < record.count; ) {
    const end = Math.min(record.count, from + blockRows - pile.rows)
    for (let i = from; i < end; i++) stampRow(record, i, partition, pile.offset++)
    pile.parts.push(bytes.subarray(record.starts[from], record.starts[end]))
    pile.rows += end - from
    if (pile.rows === blockRows) cut(partition, pile)
    from = end
  }
}
