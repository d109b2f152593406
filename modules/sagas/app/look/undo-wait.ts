import { isBlocked, isOwed } from '../../domain/compensate.ts'
import { overAt } from '../../domain/key.ts'
import type { StepState } from '../../domain/state.ts'
import { callWait, childWait } from './call-wait.ts'
import { dryTurn, instant, type SeenSaga } from './seen-saga.ts'
import type { Surroundings, Waiting } from './waiting.ts'

/** What the undo of a step waits for, once the saga is being undone. A stuck one waits for an operator (operator-waits.ts). */
export function undoWait(saga: SeenSaga, id: string, step: StepState, around: Surroundings): Waiting | undefined {
  const planned = saga.plan.steps.get(id)
  if (!planned || !saga.state.turned) return undefined
  const { undo, childId } = step
  if (!undo) return beginningOf(saga, id, step)
  if (undo.status !== 'calling' && undo.status !== 'retrying') return undefined
  const last = saga.spans.get(id)?.undo?.last ?? 0
  if (childId !== undefined && 'child' in planned.step) {
    const own = { step: id, undo: true, since: instant(saga, last), until: null }
    return childWait(own, planned.step.child.saga, childId, around)
  }
  return callWait(saga, { step: id, undo: true, call: planned.undo, tries: undo, last }, around)
}

/** It is owed and was not begun. Those that only wait for their turn are not worth a word: it comes at once. */
function beginningOf(saga: SeenSaga, id: string, step: StepState): Waiting | undefined {
  const turn = dryTurn(saga)
  const planned = saga.plan.steps.get(id)
  if (step.status === 'calling' || !isOwed(turn, id, step)) return undefined
  const at = saga.entries.findLast(({ e }) => e === 'turn')?.t ?? 0
  const own = { step: id, undo: true, since: instant(saga, at) }
  if (isBlocked(turn, id)) {
    const after = saga.plan.steps.get(id)?.undo?.after.join(', ')
    return { for: 'undo', ...own, until: null, detail: `it comes after the undo of ${after}` }
  }
  const over = planned?.call && step.status !== 'done' ? overAt(planned.call, step) : 0
  if (over <= saga.t) return undefined
  return { for: 'instant', ...own, until: instant(saga, over), detail: 'a call that nobody heard of may still arrive' }
}
