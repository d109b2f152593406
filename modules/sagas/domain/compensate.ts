import { dueAt, nextOf, overAt } from './key.ts'
import type { StepState, UndoState } from './state.ts'
import type { Turn } from './turn.ts'

/**
 * Undoes what was done, the step that was begun last first. One undo is tried for the first time only when the one before
 * it was answered, or had its head start: so they begin in order, and one that hangs keeps the next for a moment only. One that
 * fails waits for its next attempt and keeps nobody: the undos of other steps go on, except those that say that they come
 * `after` it. A stuck one needs attention from then on, whatever goes on.
 */
export function compensate(turn: Turn): void {
  const { state, t } = turn
  // A call that is on its way may still take effect: its end, or its timeout, says what is owed.
  for (const step of state.steps.values()) if (step.status === 'calling') return
  const owed = [...state.steps].filter(([id, step]) => isOwed(turn, id, step)).reverse()
  let beginning = false
  for (const [id, step] of owed) {
    const { undo, childId } = step
    const planned = turn.plan.steps.get(id)
    if (undo?.status === 'done' || undo?.status === 'stuck' || (!undo && isBlocked(turn, id))) continue
    if (undo?.status === 'calling') {
      if (hasHeadStart(turn, undo, childId)) beginning = true
      if (childId === undefined && quietAt(undo) > t) turn.wake(quietAt(undo))
    } else if (undo) {
      const due = planned?.undo ? dueAt(planned.undo, undo, t) : undo.due
      if (due > t) turn.wake(due)
      else if (!undoStep(turn, id, undo.attempts + 1)) return compensate(turn)
    } else if (!beginning) {
      // Of a step that is done the participant knows the key: what comes late has no effect.
      const from = planned?.call && step.status !== 'done' ? overAt(planned.call, step) : 0
      if (from > t) turn.wake(from)
      else {
        undoStep(turn, id, 1)
        turn.wake(t + headStartMs(childId))
      }
      beginning = true
    }
  }
  const stuck = owed.find(([, { undo }]) => undo?.status === 'stuck')
  if (stuck && !state.halted) {
    const [s, { undo }] = stuck
    turn.add({ e: 'halt', s, t, c: 'UNDO_STUCK', d: undo?.problem?.detail ?? '' })
  }
  if (owed.every(([, { undo }]) => undo?.status === 'done')) turn.add({ e: 'end', t, as: 'compensated' })
}

/** For so long an undo that has begun keeps the next from beginning, ms; that of a child takes several calls. */
const headStartMs = (childId: string | undefined): number => (childId === undefined ? 250 : 5_000)

/** Whether the undo is on its way for the first time, and not for long yet. */
function hasHeadStart(turn: Turn, { attempts, lastAt }: UndoState, childId: string | undefined): boolean {
  if (childId === undefined && attempts > 1) return false
  const until = lastAt + headStartMs(childId)
  if (until > turn.t) turn.wake(until)
  return until > turn.t
}

/** When people are told that the call of an undo has no answer yet, t: its timeout may be far. */
export const quietAt = ({ lastAt }: UndoState): number => lastAt + 2_000

/** Owed from the intent on, unless it is certain that nothing happened. */
export function isOwed(turn: Turn, id: string, step: StepState): boolean {
  const planned = turn.plan.steps.get(id)
  if (!planned) return false
  if ('child' in planned.step) {
    // One that is there may have done something; of one that was compensated, or skipped by an operator, nothing is undone.
    const matters = step.status === 'waiting' || step.effect !== 'none'
    return planned.step.compensate !== false && step.childId !== undefined && matters
  }
  return planned.undo !== undefined && step.effect !== 'none'
}

export function isBlocked(turn: Turn, id: string): boolean {
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
