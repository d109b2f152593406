import type { Scope } from './expression.ts'
import type { Json } from './json.ts'
import type { Plan } from './plan.ts'
import type { SagaState } from './state.ts'

/** What the expressions of a saga see. Only facts of the journal, so that evaluating again gives the same. */
export function scopeOf(id: string, plan: Plan, state: SagaState, more?: Readonly<Record<string, Json>>): Scope {
  const saga = { id, name: plan.name, startedAt: new Date(state.at).toISOString() }
  return { input: state.input, steps: outputsOf(state), saga, ...more }
}

/** Outputs of the steps that are done, by step. */
export function outputsOf(state: SagaState): Record<string, Json> {
  const outputs: Record<string, Json> = {}
  for (const [step, { status, output }] of state.steps) if (status === 'done') outputs[step] = output
  return outputs
}

/** What the saga came to. */
export function resultOf(plan: Plan, state: SagaState): Json {
  return plan.output ? state.output : outputsOf(state)
}
