import type { Plan } from './plan.ts'
import type { SagaState } from './state.ts'

/** The pivot is done: there is no way back. */
export function passedPivot(plan: Plan, state: SagaState): boolean {
  for (const [id, step] of state.steps) if (step.status === 'done' && plan.steps.get(id)?.pivot) return true
  return false
}

/** False as well while nobody knows whether the pivot is done. `without`: a pivot that is known to have had no effect. */
export function canTurn(plan: Plan, state: SagaState, without?: string): boolean {
  for (const [id, step] of state.steps) {
    if (!plan.steps.get(id)?.pivot) continue
    if (step.status === 'done' || step.status === 'calling') return false
    if (step.effect !== 'none' && id !== without) return false
  }
  return true
}
