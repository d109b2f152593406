import { RowError } from './mapping.ts'
import type { Chunk } from './source.ts'

/** A row that was not accepted, here or by the server. Rows count from 0. */
export interface RejectedRow {
  readonly row: number
  readonly code: string
  readonly detail: string
}

/** Consecutive rows as one request body. */
export interface Batch {
  readonly firstRow: number
  /** Rows of the file that it stands for, including those that could not become events. */
  readonly rows: number
  readonly events: number
  /** NDJSON; empty when no row became an event. */
  readonly body: Buffer
  readonly rejected: readonly RejectedRow[]
  /** The row of the event at a place in the body. */
  rowOf(index: number): number
}

export interface BatchLimits {
  readonly rows: number
  /** Characters, about bytes: a batch is closed by the row that reaches them. */
  readonly chars: number
}

/** Cuts chunks of rows into request bodies. */
export async function* batches(chunks: AsyncIterable<Chunk>, limits: BatchLimits): AsyncGenerator<Batch> {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.count; ) {
      const batch = cut(chunk, at, limits)
      yield batch
      at += batch.rows
    }
  }
}

function cut(chunk: Chunk, from: number, limits: BatchLimits): Batch {
  const end = Math.min(chunk.count, from + limits.rows)
  const rejected: RejectedRow[] = []
  let text = ''
  let i = from
  while (i < end && text.length < limits.chars) {
    try {
      text += chunk.line(i)
    } catch (error) {
      if (!(error instanceof RowError)) throw error
      rejected.push({ row: chunk.firstRow + i, code: error.code, detail: error.message })
    }
    i++
  }
  const firstRow = chunk.firstRow + from
  const rows = i - from
  const left = rejected.length === 0 ? undefined : without(firstRow, rows, rejected)
  return {
    firstRow,
    rows,
    events: rows - rejected.length,
    body: Buffer.from(text),
    rejected,
    rowOf: (index) => left?.[index] ?? firstRow + index,
  }
}

function without(firstRow: number, rows: number, rejected: readonly RejectedRow[]): number[] {
  const gone = new Set(rejected.map(({ row }) => row))
  return Array.from({ length: rows }, (_, i) => firstRow + i).filter((row) => !gone.has(row))
}
