import { dueAt } from '../../domain/key.ts'
import type { PlannedCall } from '../../domain/plan.ts'
import type { Tries } from '../../domain/state.ts'
import { instant, type SeenSaga } from './seen-saga.ts'
import type { Surroundings, Waiting } from './waiting.ts'

interface Calling {
  readonly step: string
  readonly undo: boolean
  /** Absent when the step is no call; then it is tried again because an operator said so. */
  readonly call: PlannedCall | undefined
  readonly tries: Tries & { readonly status: string }
  /** t of the latest entry about it. */
  readonly last: number
}

/** A call, or the undo of one: an attempt is on its way, or the next one is due later. */
export function callWait(saga: SeenSaga, { step, undo, call, tries, last }: Calling, around: Surroundings): Waiting {
  const since = instant(saga, last)
  const why = call && around.blocked(call.participant, undo)
  const blocked = why === undefined ? {} : { blocked: why }
  const own = { step, undo, since, ...blocked }
  if (tries.status !== 'calling' || !call) {
    const { code = 'RETRY', detail = 'an operator ordered it' } = tries.problem ?? {}
    const due = call ? dueAt(call, tries, saga.t) : tries.due
    return { for: 'retry', ...own, until: instant(saga, due), detail: `${code}: ${detail}` }
  }
  const until = instant(saga, tries.lastAt + call.timeoutMs)
  return { for: 'answer', ...own, until, detail: `attempt ${tries.attempts}, ${call.method} to ${call.participant}` }
}

/** A child saga that runs, or that is being undone. */
export function childWait(
  own: Pick<Waiting, 'step' | 'undo' | 'since' | 'until'>,
  name: string,
  id: string,
  around: Surroundings,
): Waiting {
  const found = around.child(id)
  const child = { id, status: found?.status ?? null, problem: found?.problem ?? null }
  const state = found ? `is ${found.status}` : 'is about to be started'
  return { for: 'child', ...own, detail: `the child saga ${name} ${state}`, child }
}
