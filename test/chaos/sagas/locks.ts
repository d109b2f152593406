import { until } from './installation.ts'
import { items } from './ledger/operations.ts'
import type { Part } from './place.ts'
import { Recovery } from './recovery.ts'
import { runSagas } from './run.ts'
import { Striking } from './strikes.ts'

const orders = 32
const endsWithinMs = 30_000
/** In the middle of a section, with many in line: sections come to five calls or more. */
const killAtCall = 23

/**
 * Sagas that all want one lock, while the worker is killed that runs the holder: sections never overlap, and the lock goes
 * from one to the next all the same.
 */
export const runOneLock: Part = async ({ installation }, seed, findings) => {
  const prefix = `lock-${seed}-`
  const stoodInLine = async (): Promise<number> => {
    // Counted by the numbers given, as those who waited are gone by the end.
    const [row] = await installation.rows<{ n: number }>(
      `SELECT coalesce(pg_sequence_last_value('sagas.lock_waiters_id_seq'), 0)::integer AS n`,
    )
    return row!.n
  }
  const before = await stoodInLine()
  const { ended, looks, meanwhile } = await runSagas(
    installation,
    {
      ...{ prefix, seed, orders, kind: 'locked', item: items[0], clients: orders, endsWithinMs },
      character: { guard: 'keys' },
    },
    findings,
    async ({ started, rows }) => {
      const at = { side: 'participant', undo: false, at: 'effected', nth: killAtCall, lost: false } as const
      const striking = await Striking.arm(installation, at, prefix)
      const recovery = new Recovery(installation, striking, { lease: false, restartMs: 300, next: undefined })
      await started
      await until(async () => (await rows.open()) === 0, endsWithinMs)
      recovery.stop()
      return { killed: (await recovery.done).length }
    },
  )
  const waited = (await stoodInLine()) - before
  // Else nothing was tried.
  if (waited < orders / 2) findings.add('too few stood in line', `${waited} of ${orders}`)
  if (meanwhile.killed === 0) findings.add('nothing was killed', `at call ${killAtCall}`)
  return { ...meanwhile, waited, ended, looks }
}
