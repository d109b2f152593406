import type { RecordView } from '@splitstream/ingest/contract'
import { turns } from '@splitstream/kernel'
import type { Rows, Run } from '../domain/rows.ts'

/** Rows after which the time is looked at: 0.1 ms. A full block in one go is 25 ms, for which requests would wait. */
const rowsOfALook = 256

/** Visits all rows in their order, in runs of some hundred at most, between which others have their turn. */
export async function runsInTurns({ runs }: Rows, visit: (run: Run) => void): Promise<void> {
  turns.begin()
  let looked = 0
  for (const { record, base, from, to } of runs) {
    for (let start = from; start < to; start += rowsOfALook) {
      const end = Math.min(to, start + rowsOfALook)
      if (looked >= rowsOfALook) {
        looked = 0
        if (turns.isOver) await turns.next()
      }
      looked += end - start
      visit({ record, base, from: start, to: end })
    }
  }
}

/** The same, row by row. */
export async function eachInTurns(
  rows: Rows,
  visit: (record: RecordView, index: number, offset: number) => void,
): Promise<void> {
  await runsInTurns(rows, ({ record, base, from, to }) => {
    for (let index = from; index < to; index++) visit(record, index, base + index)
  })
}
