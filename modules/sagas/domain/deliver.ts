import type { Json } from './json.ts'
import { canTurn } from './pivot.ts'
import type { SagaStatus, StepState } from './state.ts'
import type { Turn } from './turn.ts'

/** The lock is the saga's, under a fencing number that protected writes may check. Too late once the saga is being undone. */
export function grantLock(turn: Turn, id: string, fence: string): void {
  if (turn.state.steps.get(id)?.status !== 'waiting' || turn.state.turned) return
  turn.add({ e: 'done', s: id, t: turn.t, o: { fence } })
}

/** A child ended: by itself, or because it was told to. */
export function endChild(turn: Turn, id: string, childId: string, as: SagaStatus, output: Json): void {
  const step = turn.state.steps.get(id)
  if (!step || step.childId !== childId) return
  if (step.undo) return endUndo(turn, id, step, as)
  if (step.status !== 'waiting') return
  if (as === 'compensated') return failChild(turn, id)
  const mapping = turn.plan.steps.get(id)?.output
  const value = mapping
    ? turn.evaluate(id, () => mapping(turn.scope(id, { response: { body: output } })), 'unknown')
    : { value: output }
  if (value) turn.add({ e: 'done', s: id, t: turn.t, o: value.value })
}

/** What a child says that was told to undo what it did. */
function endUndo(turn: Turn, s: string, { status, undo, childId }: StepState, as: SagaStatus): void {
  const { t } = turn
  if (!undo || undo.status === 'done') return
  if (as === 'compensated') return turn.add({ e: 'undone', s, t })
  if (undo.status !== 'calling') return
  // It may have ended before it heard of the undo. When it says so once more, it has heard, and there is no way back.
  if (status === 'waiting' && undo.attempts === 1) {
    turn.add({ e: 'undo', s, n: 2, t })
    turn.act({ kind: 'undo-child', step: s, childId: childId! })
  } else turn.add({ e: 'stuck', s, t, c: 'CHILD_PAST_PIVOT', d: 'the child saga is past its pivot' })
}

/** A child that has ended is not kept any more, so it cannot be undone. */
export function loseChild(turn: Turn, s: string): void {
  if (turn.state.steps.get(s)?.undo?.status !== 'calling') return
  turn.add({
    e: 'stuck',
    s,
    t: turn.t,
    c: 'CHILD_GONE',
    d: 'the child saga is not kept any more: undo by hand, then resolve',
  })
}

/** The parent is being undone, and so is its child, also when it is completed: unless there is no way back. */
export function undoChild(turn: Turn): void {
  const { state, plan, t } = turn
  const ended = state.status === 'completed' || state.status === 'compensated'
  if (!state.turned && canTurn(plan, state)) turn.add({ e: 'turn', t, c: 'PARENT', d: 'its parent is being undone' })
  else if (ended) turn.act({ kind: 'tell-parent' })
}

function failChild(turn: Turn, id: string): void {
  turn.add({ e: 'failed', s: id, t: turn.t, fx: 'none', c: 'CHILD_FAILED', d: 'the child saga was compensated' })
}
