import {
  AppError,
  type Call,
  type Clock,
  checkCall,
  encodePosition,
  type LogRange,
  type LogWriter,
} from '@splitstream/kernel'
import type { AppendInput, Receipt } from '../contract/index.ts'
import { type Batch, type BatchLimits, BatchReader, type JsonForm } from '../domain/batch.ts'
import { EventEncoder } from '../domain/event-encoder.ts'

export interface IngestLimits extends BatchLimits {
  /** Longest id, source, type and subject, bytes. */
  readonly maxNameBytes: number
  /** How far in the future an event's time may lie, ms. */
  readonly maxAheadMs: number
}

export interface AppendDeps {
  readonly log: LogWriter
  readonly clock: Clock
  readonly limits: IngestLimits
}

/**
 * ingest.append: reads the batch in one synchronous pass, appends a record for each partition that it touches in one
 * atomic step, and answers once that is durable. The reader and its buffers are shared by all requests, which is safe
 * because nothing is awaited between `begin` and the last `finish`.
 */
export function createAppend({ log, clock, limits }: AppendDeps) {
  const encoder = new EventEncoder(log.partitions, {
    maxNameBytes: limits.maxNameBytes,
    maxAheadMicros: limits.maxAheadMs * 1000,
  })
  const reader = new BatchReader(encoder, limits)

  return async (input: AppendInput, call: Call): Promise<Receipt> => {
    checkCall(call, clock)
    encoder.begin(call.tenant, Math.round(clock.now() * 1000), input.mediaType.startsWith('application/cloudevents'))
    const batch = isLines(input.mediaType) ? reader.lines(input.body) : reader.json(input.body, formOf(input.mediaType))
    if (batch.rejected > 0) refuseIfNeeded(input, batch)

    const entries = []
    for (const [partition, builder] of encoder.builders.entries()) {
      if (builder.count > 0) entries.push({ partition, count: builder.count, bytes: builder.finish(), transfer: true })
    }
    const ranges = await log.append(entries, call)
    // Durable, but without a place in the log for some: no position would cover them.
    return { ...batch, position: ranges.length < entries.length ? undefined : positionOf(ranges) }
  }
}

export function isLines(mediaType: string): boolean {
  return mediaType === 'application/x-ndjson' || mediaType === 'application/ndjson' || mediaType === 'application/jsonl'
}

function formOf(mediaType: string): JsonForm {
  if (mediaType === 'application/cloudevents+json') return 'event'
  return mediaType === 'application/cloudevents-batch+json' ? 'batch' : 'either'
}

/** One event alone fails with its own code; a batch as a whole when it is strict or nothing of it is good. */
function refuseIfNeeded(input: AppendInput, batch: Batch): void {
  const [first] = batch.errors
  if (first && batch.accepted + batch.rejected === 1) throw new AppError(codeOfItem(first.code), first.detail)
  if (input.mode === 'partial' && batch.accepted > 0) return
  throw new AppError(
    'BATCH_REFUSED',
    `${batch.rejected} of ${batch.accepted + batch.rejected} events are not valid; none was accepted`,
    {
      details: { accepted: 0, rejected: batch.rejected, errors: batch.errors },
    },
  )
}

function codeOfItem(code: string) {
  switch (code) {
    case 'EVENT_TOO_LARGE':
    case 'EVENT_TOO_DEEP':
    case 'EVENT_MALFORMED':
    case 'EVENT_NUMBER_UNSAFE':
    case 'EVENT_TIME_OUT_OF_RANGE':
      return code
    default:
      return 'EVENT_INVALID'
  }
}

function positionOf(ranges: readonly LogRange[]): string {
  return encodePosition(new Map(ranges.map((range) => [range.partition, range.last + 1])))
}
