import type { Action } from './entry.ts'
import type { Json } from './json.ts'
import { nextOf } from './key.ts'
import { canTurn } from './pivot.ts'
import type { Plan } from './plan.ts'
import type { SagaState, StepState } from './state.ts'
import type { Turn } from './turn.ts'

/** What an operator asks for; `id` names the message, so that the one who asked finds what became of it. */
export interface Order {
  readonly id: string
  readonly who: string
  readonly action: Action
  /** For `cancel`: the pivot, when it is unclear whether it took effect and the operator knows that it did not. */
  readonly step?: string | undefined
  readonly output?: Json | undefined
  readonly note?: string | undefined
}

/**
 * Carries out an operator's order, or notes why not. Either way it is in the journal: that is the audit. One that comes a second
 * time, as who has read it did not know that it was taken in, is none.
 */
export function obey(turn: Turn, order: Order): void {
  const { state, plan, t } = turn
  if (state.orders.has(order.id)) return
  const no = refusal(plan, state, order)
  const k = no === undefined && order.action === 'retry' ? nextKey(turn, order.step!) : undefined
  turn.add({
    e: 'by',
    t,
    m: order.id,
    who: order.who,
    a: order.action,
    ...(order.step !== undefined && { s: order.step }),
    ...(order.output !== undefined && { o: order.output }),
    ...(k !== undefined && { k }),
    ...(order.note !== undefined && { note: order.note }),
    ...(no !== undefined && { no }),
  })
  if (no !== undefined) return
  if (order.action === 'cancel' && !state.turned) {
    turn.add({ e: 'turn', t, c: 'CANCELLED', d: `cancelled by ${order.who}` })
  }
  // Without a step it is the result of the saga that is given.
  if (order.action === 'resolve' && order.step === undefined) {
    turn.add({ e: 'end', t, as: 'completed', o: order.output ?? null })
  }
}

/**
 * A retry keeps the key for as long as it is safe to send it again. When it is not, the operator says by the retry that nothing
 * happened under it; and a participant may answer a refused key with its refusal for ever. Both times another key leads on.
 */
function nextKey({ plan, state, t }: Turn, id: string): number | undefined {
  const planned = plan.steps.get(id)
  const step = state.steps.get(id)
  const call = state.turned ? planned?.undo : planned?.call
  const tries = state.turned ? step?.undo : step
  if (!call || !tries) return undefined
  const refused = tries.effect === 'none' && tries.problem?.code.startsWith('HTTP_')
  return refused || typeof nextOf(call, tries, t) === 'object' ? tries.key + 1 : undefined
}

function refusal(plan: Plan, state: SagaState, { action, step }: Order): string | undefined {
  if (state.status === 'completed' || state.status === 'compensated') return `the saga is ${state.status}`
  if (action === 'cancel') return whyNoCancel(plan, state, step)
  if (step === undefined) {
    const halted = action === 'resolve' && state.halted && state.halted.step === undefined
    return halted ? undefined : `${action} needs the step`
  }
  const now = state.steps.get(step)
  if (!now) return `step ${step} was not begun`
  return state.turned ? whyNotUndo(step, now) : whyNotForward(plan, step, now, action)
}

function whyNotUndo(id: string, { undo }: StepState): string | undefined {
  if (!undo || undo.status === 'done') return `nothing of step ${id} is being undone`
  return undo.status === 'calling' ? `the undo of step ${id} is on its way; wait for its end` : undefined
}

function whyNotForward(plan: Plan, id: string, now: StepState, action: Action): string | undefined {
  switch (now.status) {
    case 'done':
      return `step ${id} is done`
    case 'calling':
      return `step ${id} is on its way; wait for its end`
    case 'waiting':
      if ('choice' in plan.steps.get(id)!.step) return `step ${id} has taken a branch; name the step in it`
      return action === 'retry' ? `step ${id} waits, and has not failed; skip or resolve it` : undefined
    default:
      return action === 'retry' && now.childId !== undefined && now.effect !== 'none'
        ? `the child saga of step ${id} took effect; resolve or skip the step`
        : undefined
  }
}

function whyNoCancel(plan: Plan, state: SagaState, step: string | undefined): string | undefined {
  if (state.turned || canTurn(plan, state, step)) {
    return step === undefined || isUnclearPivot(plan, state, step)
      ? undefined
      : `step ${step} is no pivot that is unclear`
  }
  return 'the pivot is behind it, or may be: when you know that it took no effect, name it as the step'
}

function isUnclearPivot(plan: Plan, state: SagaState, id: string): boolean {
  const status = state.steps.get(id)?.status
  return plan.steps.get(id)?.pivot === true && !state.turned && (status === 'retrying' || status === 'failed')
}
