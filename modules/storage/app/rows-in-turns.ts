import type { RecordView } from '@splitstream/ingest/contract'
import { turns } from '@splitstream/kernel'
import type { Rows } from '../domain/rows.ts'

/** Rows after which the time is looked at: 0.1 ms. A full block in one go is 25 ms, for which requests would wait. */
const rowsOfALook = 256

/** Visits all rows in their order, in pieces between which others have their turn. */
export async function eachInTurns(
  { runs }: Rows,
  visit: (record: RecordView, index: number, offset: number) => void,
): Promise<void> {
  turns.begin()
  let looked = 0
  for (const { record, base, from, to } of runs) {
    for (let index = from; index < to; index++) {
      if (++looked % rowsOfALook === 0 && turns.isOver) await turns.next()
      visit(record, index, base + index)
    }
  }
}
