import type { Findings } from '../findings.ts'
import { inFolder, judge } from '../trial.ts'
import { Installation } from './installation.ts'
import { runStuckUndo } from './stuck-undo.ts'
import { runTakeover } from './takeover.ts'

/** How soon others go on, and how soon what goes wrong can be seen. Returns the number of parts that were too late. */
export async function runRecovery({ from, keep }: { readonly from: number; readonly keep: boolean }): Promise<number> {
  let failed = 0
  await inFolder({ name: 'recovery', keep }, async (home) => {
    await using installation = await Installation.start({ workers: 3, home })
    const parts = {
      'kill -9 of one of three': (findings: Findings) => runTakeover(from, installation, findings),
      'a stuck undo': (findings: Findings) => runStuckUndo(from, installation, findings),
    }
    for (const [part, run] of Object.entries(parts)) if (!(await judge({ part }, run))) failed++
    return failed === 0
  })
  return failed
}
