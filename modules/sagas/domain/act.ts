import type { Action } from './entry.ts'
import type { Json } from './json.ts'
import { canTurn } from './pivot.ts'
import type { Plan } from './plan.ts'
import type { SagaState } from './state.ts'
import type { Turn } from './turn.ts'

/** What an operator asks for; `id` names the message, so that the one who asked finds what became of it. */
export interface Order {
  readonly id: string
  readonly who: string
  readonly action: Action
  readonly step?: string | undefined
  readonly output?: Json | undefined
  readonly note?: string | undefined
}

/** Carries out an operator's order, or notes why not. Either way it is in the journal: that is the audit. */
export function obey(turn: Turn, order: Order): void {
  const { state, plan, t } = turn
  const no = refusal(plan, state, order)
  const k = no === undefined && order.action === 'retry' ? nextKey(plan, state, order.step) : undefined
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
  if (no === undefined && order.action === 'cancel' && !state.turned) {
    turn.add({ e: 'turn', t, c: 'CANCELLED', d: `cancelled by ${order.who}` })
  }
}

/** A participant that repeats its errors would repeat this one: only another key leads on, and the operator knows that it is safe. */
function nextKey(plan: Plan, state: SagaState, id: string | undefined): number | undefined {
  const step = id === undefined ? undefined : state.steps.get(id)
  return step && plan.steps.get(id!)?.call?.settings.replaysErrors ? step.key + 1 : undefined
}

function refusal(plan: Plan, state: SagaState, { action, step }: Order): string | undefined {
  if (state.status === 'completed' || state.status === 'compensated') return `the saga is ${state.status}`
  if (action === 'cancel') return canCancel(plan, state)
  if (step === undefined) return `${action} needs the step`
  const now = state.steps.get(step)
  if (!now) return `step ${step} was not begun`
  if (state.turned) {
    const { undo } = now
    if (!undo || undo.status === 'done') return `nothing of step ${step} is being undone`
    return undo.status === 'calling' ? `the undo of step ${step} is on its way; wait for its end` : undefined
  }
  if (now.status === 'done') return `step ${step} is done`
  return now.status === 'calling' ? `step ${step} is on its way; wait for its end` : undefined
}

function canCancel(plan: Plan, state: SagaState): string | undefined {
  if (state.turned) return undefined
  return canTurn(plan, state) ? undefined : 'the pivot is behind it, or may be: there is no way back'
}
