import { knownAs } from './alias.ts'
import type { Scope } from './expression.ts'
import type { Json } from './json.ts'
import type { Plan } from './plan.ts'
import type { SagaState } from './state.ts'

/** The saga whose expressions are evaluated; a Turn has it. */
export interface ScopeSource {
  readonly id: string
  readonly plan: Plan
  readonly state: SagaState
}

/** What the expressions belong to: a step, its undo, or, undefined, the saga, when all steps are done. */
export type Reader = { readonly step: string; readonly undo?: boolean } | undefined

/**
 * What the expressions of a saga see. Only facts of the journal, and of these only what was there when the reader began: so
 * evaluating again gives the same, also in another process, and whatever other branches have done meanwhile.
 */
export function scopeOf(source: ScopeSource, reader: Reader, more?: Readonly<Record<string, Json>>): Scope {
  const { plan, state } = source
  const saga = { id: knownAs(source), name: plan.name, startedAt: new Date(state.at).toISOString() }
  return { input: state.input, steps: outputsFor(plan, state, reader), saga, ...more }
}

function outputsFor(plan: Plan, state: SagaState, reader: Reader): Record<string, Json> {
  if (!reader) return outputsOf(state)
  const outputs: Record<string, Json> = {}
  if (!reader.undo) {
    for (const id of plan.steps.get(reader.step)?.before ?? []) {
      const step = state.steps.get(id)
      if (step?.status === 'done') outputs[id] = step.output
    }
    return outputs
  }
  // A child may end well after the saga has turned back.
  const sees = state.steps.get(reader.step)?.undo?.sees ?? state.done
  for (const [id, { status, nth, output }] of state.steps) if (status === 'done' && nth <= sees) outputs[id] = output
  return outputs
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
