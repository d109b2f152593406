import { runHostile } from './hostile.ts'
import { runMatrix } from './matrix.ts'
import { runRecovery } from './run-recovery.ts'
import { runZombies } from './run-zombies.ts'

export interface SagaRunOptions {
  readonly from: number
  readonly seeds: number
  readonly keep: boolean
}

/** Faults for sagas, by name. Each resolves with the number of its parts that broke a promise. */
export const sagaRuns = {
  matrix: runMatrix,
  zombies: runZombies,
  hostile: runHostile,
  recovery: runRecovery,
} as const satisfies Record<string, (o: SagaRunOptions) => Promise<number>>

/** One of them, or one after another. */
export async function runSagaFaults(names: readonly (keyof typeof sagaRuns)[], o: SagaRunOptions): Promise<number> {
  let failed = 0
  for (const name of names) failed += await sagaRuns[name](o)
  return failed
}
