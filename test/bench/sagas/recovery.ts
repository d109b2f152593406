import { Findings } from '../../chaos/findings.ts'
import { Installation } from '../../chaos/sagas/installation.ts'
import type { Measurement } from '../../chaos/sagas/place.ts'
import { measureStuckUndo, type StuckUndo } from '../../chaos/sagas/stuck-undo.ts'
import { measureTakeover, type Takeover } from '../../chaos/sagas/takeover.ts'
import { started, temporaryFolder } from '../cleanup.ts'
import { progress } from '../progress.ts'

/** How sagas go on when something fails: each the worst of all passes. */
export interface Recovery {
  /** From the kill of one of three workers until others have all of its sagas, ms. */
  readonly resumedMs: number
  /** Sagas in flight at the kill. */
  readonly inFlight: number
  /** Until sagas are listed whose undo fails, ms. */
  readonly visibleMs: number
  /** Until their other undos are done, ms. */
  readonly independentUndosMs: number
}

/**
 * The faults of `npm run chaos -- sagas recovery`, on an installation of their own: three processes that run sagas, one for
 * events, Kafka, and the external ledger, which judges every saga. @throws Error when one of them was not right
 */
export async function measureRecovery(passes: number): Promise<Recovery> {
  const folder = temporaryFolder()
  const { thing: installation, stop } = await started(
    Installation.start({ workers: 3, home: folder.path }),
    (running) => running[Symbol.asyncDispose](),
  )
  const takeovers: Takeover[] = []
  const stuckUndos: StuckUndo[] = []
  for (let seed = 1; seed <= passes; seed++) {
    progress(`kill -9 of a worker, and a stuck undo: ${seed} of ${passes}`)
    takeovers.push(await measure(installation, measureTakeover, seed))
    stuckUndos.push(await measure(installation, measureStuckUndo, seed))
  }
  await stop()
  await folder.remove()
  return {
    resumedMs: Math.max(...takeovers.map(({ resumedMs }) => resumedMs)),
    inFlight: Math.min(...takeovers.map(({ inFlight }) => inFlight)),
    visibleMs: Math.max(...stuckUndos.map(({ visibleMs }) => visibleMs)),
    independentUndosMs: Math.max(...stuckUndos.map(({ independentUndosMs }) => independentUndosMs)),
  }
}

async function measure<T>(installation: Installation, measurement: Measurement<T>, seed: number): Promise<T> {
  const findings = new Findings()
  await installation.atLeast(3)
  const measured = await measurement({ installation }, seed, findings)
  if (!findings.ok) throw new Error(`sagas went wrong: ${JSON.stringify(findings)}`)
  return measured
}
