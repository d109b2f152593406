import type { IngestAppend } from '@splitstream/ingest/contract'
import { type Call, codeOf, messageOf } from '@splitstream/kernel'
import type { OutboxRow, RefusedRow } from '../adapters/outbox.ts'

/** Says that some event is to blame, or their number: with fewer it is another matter. Everything else passes, some time. */
const blamesEvents = /^(EVENT|BATCH|BODY)_/

/**
 * Sends events of one tenant to ingest, in order. An event that was sent before is stored once, as its id is the same.
 * @returns those that are refused. @throws AppError when nothing is known about any of them: all can be sent again
 */
export async function appendEmitted(
  ingest: IngestAppend,
  rows: readonly OutboxRow[],
  call: Call,
): Promise<RefusedRow[]> {
  const body = Buffer.from(`[${rows.map(({ event }) => event).join(',')}]`)
  try {
    const { errors } = await ingest.append(
      { body, mediaType: 'application/cloudevents-batch+json', mode: 'partial' },
      call,
    )
    return errors.map(({ index, code, detail }) => ({ ...rows[index]!, code, detail }))
  } catch (error) {
    const code = codeOf(error)
    if (!blamesEvents.test(code)) throw error
    if (rows.length === 1) return [{ ...rows[0]!, code, detail: messageOf(error) }]
    const half = rows.length >> 1
    const first = await appendEmitted(ingest, rows.slice(0, half), call)
    return [...first, ...(await appendEmitted(ingest, rows.slice(half), call))]
  }
}
