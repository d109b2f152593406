import { AppError, type Breaker, type Clock } from '@splitstream/kernel'
import { Guard } from './guard.ts'

export interface LinkGuardOptions {
  /** Of the port. */
  readonly name: string
  readonly breaker: Breaker
  readonly clock: Clock
  /** As they stand; looking at them changes nothing. */
  readonly instances: { view(): readonly { readonly origin: string; readonly state: string }[] }
  /** Asks one of them what it serves. */
  readonly ask: (origin: string) => Promise<unknown>
}

/**
 * Calls of a port of other processes, behind a breaker for all instances together. Which of them is called, and that one which
 * does worse than the others is left out, is decided behind it. Calls are never cut: one that was sent may have run.
 */
export function guardLink({ name, breaker, clock, instances, ask }: LinkGuardOptions): Guard {
  let turn = 0
  const askOne = async (): Promise<void> => {
    const known = instances.view()
    const serving = known.filter(({ state }) => state === 'serving')
    const among = serving.length > 0 ? serving : known
    const one = among[turn++ % among.length]
    if (!one) throw new AppError('UNAVAILABLE', 'No instance is known')
    await ask(one.origin)
  }
  return new Guard({ name, breaker, clock, ask: askOne })
}
