import { decodePosition, encodePosition } from '@splitstream/kernel'
import type { Batch, RejectedRow } from './batches.ts'
import type { Receipt } from './sender.ts'

/** Rows done, and what came of them. */
export interface Totals {
  rows: number
  accepted: number
  rejected: number
  /** Of those accepted: repeats of an earlier event of the same batch. */
  duplicates: number
  position: string | undefined
}

interface Entry {
  readonly batch: Batch
  receipt: Receipt | undefined
}

/**
 * Follows batches that are acknowledged in any order. `contiguous` counts only what lies below the first row that is not
 * acknowledged: what a resumed load need not send again. `seen` counts everything acknowledged.
 */
export class Tracker {
  readonly contiguous: Totals
  readonly seen: Totals
  /** The first rejected rows. */
  readonly errors: RejectedRow[] = []
  readonly #maxErrors: number
  readonly #open: Entry[] = []

  constructor(from: Totals, maxErrors: number) {
    this.contiguous = { ...from }
    this.seen = { ...from }
    this.#maxErrors = maxErrors
  }

  /** Batches come in file order. Call the result when the batch is acknowledged. */
  begin(batch: Batch): (receipt: Receipt) => void {
    const entry: Entry = { batch, receipt: undefined }
    this.#open.push(entry)
    return (receipt) => {
      entry.receipt = receipt
      add(this.seen, entry.batch, receipt)
      this.#remember(batch, receipt)
      while (this.#open[0]?.receipt) {
        const head = this.#open.shift()
        if (head?.receipt) add(this.contiguous, head.batch, head.receipt)
      }
    }
  }

  #remember(batch: Batch, receipt: Receipt): void {
    const rejected = [
      ...batch.rejected,
      ...receipt.errors.map(({ index, code, detail }) => ({ row: batch.rowOf(index), code, detail })),
    ]
    for (const error of rejected) if (this.errors.length < this.#maxErrors) this.errors.push(error)
  }
}

function add(totals: Totals, batch: Batch, receipt: Receipt): void {
  totals.rows += batch.rows
  totals.accepted += receipt.accepted
  totals.duplicates += receipt.duplicates
  totals.rejected += receipt.rejected + batch.rejected.length
  if (receipt.position !== undefined) totals.position = merged(totals.position, receipt.position)
}

/** The position that covers both: for each partition the later offset. */
function merged(one: string | undefined, other: string): string {
  if (one === undefined) return other
  const position = new Map(decodePosition(one))
  for (const [partition, next] of decodePosition(other)) {
    position.set(partition, Math.max(next, position.get(partition) ?? 0))
  }
  return encodePosition(position)
}
