import { none } from './engines/none.ts'
import { startLoad } from './load/start.ts'
import { checkLedger } from './measure.ts'
import { startParticipant } from './participant/start.ts'
import type { Planted } from './peers/messages.ts'

/** A checker counts only if it fails on a planted bug. @throws Error when it does not. */
export async function checkTheChecker(): Promise<void> {
  for (const planted of ['charges twice', 'forgets the refund'] satisfies Planted[]) {
    const participant = await startParticipant()
    const engine = await none(planted).start(participant.url)
    const load = await startLoad(engine.target, 8)
    const result = await load.run({ name: 'planted', inFlight: 8, seconds: 0.2 })
    const complaint = await checkLedger(participant, result).then(
      () => undefined,
      (error: Error) => error.message,
    )
    await Promise.all([load.stop(), engine.stop(), participant.stop()])
    if (!complaint?.includes('are wrong')) throw new Error(`the ledger does not see an engine that ${planted}`)
  }
}
