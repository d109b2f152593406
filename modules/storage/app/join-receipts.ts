import type { ItemError, Receipt } from '@splitstream/ingest/contract'
import { AppError, decodePosition, encodePosition } from '@splitstream/kernel'

/** What ingest says to pieces of one batch, as if it had been one. */
export function joinReceipts(receipts: readonly Receipt[]): Receipt {
  const sum = (of: (receipt: Receipt) => number): number => receipts.reduce((total, receipt) => total + of(receipt), 0)
  const position = new Map<number, number>()
  for (const { position: token } of receipts) {
    if (token === undefined) continue
    for (const [partition, next] of decodePosition(token)) {
      position.set(partition, Math.max(next, position.get(partition) ?? 0))
    }
  }
  return {
    accepted: sum(({ accepted }) => accepted),
    rejected: sum(({ rejected }) => rejected),
    duplicates: sum(({ duplicates }) => duplicates),
    // A part without a place in the log would not be covered.
    position: receipts.every((receipt) => receipt.position !== undefined) ? encodePosition(position) : undefined,
    errors: receipts.flatMap(({ errors }) => errors),
  }
}

/** Appends a piece that has `before` events before it: the errors of a refusal say their places in the whole. */
export async function placedBehind(before: number, append: () => Promise<Receipt>): Promise<Receipt> {
  try {
    return await append()
  } catch (error) {
    if (!(error instanceof AppError) || !Array.isArray(error.details?.errors)) throw error
    const errors = (error.details.errors as ItemError[]).map((item) => ({ ...item, index: item.index + before }))
    throw new AppError(error.code, error.message, { cause: error, details: { ...error.details, errors } })
  }
}
