import { nextOf } from './key.ts'
import type { StepState } from './state.ts'
import type { Turn } from './turn.ts'

/**
 * Undoes what was done, the step that was begun last first. One undo is tried for the first time only when the one before
 * it was tried: so they begin in order. One that fails waits for its next attempt and keeps nobody: the undos of other
 * steps go on, except those that say that they come `after` it.
 */
export function compensate(turn: Turn): void {
  const { state, t } = turn
  // A call that is on its way may still take effect: its end, or its timeout, says what is owed.
  for (const step of state.steps.values()) if (step.status === 'calling') return
  const owed = [...state.steps].filter(([id, step]) => isOwed(turn, id, step)).reverse()
  let open = false
  let beginning = false
  for (const [id, { undo }] of owed) {
    if (undo?.status === 'done' || undo?.status === 'stuck') continue
    if (!undo && isBlocked(turn, id)) continue
    open = true
    if (undo?.status === 'calling') {
      if (undo.attempts === 1) beginning = true
    } else if (undo && undo.due > t) turn.wake(undo.due)
    else if (undo) {
      if (!undoStep(turn, id, undo.attempts + 1)) return compensate(turn)
    } else if (!beginning) {
      beginning = true
      undoStep(turn, id, 1)
    }
  }
  if (open) return
  const stuck = owed.find(([, { undo }]) => undo?.status !== 'done')
  if (!stuck) turn.add({ e: 'end', t, as: 'compensated' })
  else
    turn.add({
      e: 'halt',
      s: stuck[0],
      t,
      c: 'UNDO_STUCK',
      d: stuck[1].undo?.problem?.detail ?? 'its undo waits for a stuck one',
    })
}

/** Owed from the intent on, unless it is certain that nothing happened. */
export function isOwed(turn: Turn, id: string, step: StepState): boolean {
  const planned = turn.plan.steps.get(id)
  if (!planned) return false
  if ('child' in planned.step) {
    return planned.step.compensate !== false && step.childId !== undefined && step.status !== 'failed'
  }
  return planned.undo !== undefined && step.effect !== 'none'
}

function isBlocked(turn: Turn, id: string): boolean {
  const after = turn.plan.steps.get(id)?.undo?.after ?? []
  return after.some((other) => {
    const step = turn.state.steps.get(other)
    return step !== undefined && isOwed(turn, other, step) && step.undo?.status !== 'done'
  })
}

/** False when nothing is safe to send: then it is stuck. */
function undoStep(turn: Turn, s: string, n: number): boolean {
  const { childId, undo } = turn.state.steps.get(s)!
  if (childId !== undefined) {
    turn.add({ e: 'undo', s, n, t: turn.t })
    turn.act({ kind: 'undo-child', step: s, childId })
    return true
  }
  const next = undo ? nextOf(turn.plan.steps.get(s)!.undo!, undo, turn.t) : 'send'
  if (next === 'send' || next === 'look') {
    const look = next === 'look'
    turn.add({ e: 'undo', s, n, t: turn.t, ...(look && { look: 1 as const }) })
    turn.act({ kind: 'call', step: s, undo: true, look })
    return true
  }
  const d = `its undo may have taken effect, and ${next.why}: find out, then resolve or retry`
  turn.add({ e: 'stuck', s, t: turn.t, c: 'RECONCILE', d })
  return false
}
