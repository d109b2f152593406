import { type Call, defineCallPort } from '@splitstream/kernel'

/** One event of a batch that was not accepted. */
export interface ItemError {
  /** Place in the batch, from 0. */
  readonly index: number
  /** A code of the error catalogue. */
  readonly code: string
  readonly detail: string
}

export interface Receipt {
  readonly accepted: number
  readonly rejected: number
  /** Events that repeat an earlier one of the same batch: accepted, and stored once. */
  readonly duplicates: number
  /** Where those are in the batch, from 0; the first 1,000. A process of an earlier version does not say. */
  readonly repeated?: readonly number[] | undefined
  /**
   * Opaque token; `after=` of a query takes it. Absent while the events are durable, but have no place in the log yet: the log
   * is elsewhere and does not answer.
   */
  readonly position?: string | undefined
  readonly errors: readonly ItemError[]
}

export interface AppendInput {
  /** The events in the wire form that `mediaType` names, decompressed. */
  readonly body: Uint8Array
  /** application/cloudevents+json, application/cloudevents-batch+json, application/x-ndjson or application/json. */
  readonly mediaType: string
  /** strict: one bad event refuses the whole batch; partial: the good ones are accepted. */
  readonly mode: 'strict' | 'partial'
}

/** ingest.append: validate and append to the log. Resolves when the accepted events are durable. */
export interface IngestAppend {
  append(input: AppendInput, call: Call): Promise<Receipt>
}

export const ingestAppendPort = defineCallPort<IngestAppend>('ingest.append', 1, {
  append: { idempotent: true, budgetMs: 10_000 },
})
