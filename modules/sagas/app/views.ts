import type { SagaRow } from '../adapters/saga-rows.ts'
import { decodeEntries } from '../domain/entry.ts'
import type { Json } from '../domain/json.ts'
import type { Plan } from '../domain/plan.ts'
import { resultOf } from '../domain/scope.ts'
import { foldEntries, type SagaState, type SagaStatus } from '../domain/state.ts'
import type { End } from './ends.ts'

/** A saga in a list, and in the answer to its start. */
export interface SagaSummary {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly status: SagaStatus
  readonly startedAt: string
  readonly endedAt: string | null
  /** What keeps it from going on, if anything does. */
  readonly problem: string | null
}

export function summaryOf(row: SagaRow): SagaSummary {
  const { id, name, version, status, ended_at, problem } = row
  const startedAt = new Date(startOf(id)).toISOString()
  return { id, name, version, status, startedAt, endedAt: ended_at?.toISOString() ?? null, problem }
}

/** Of a saga that was made just now. */
export function freshSummary(id: string, { name, version }: Plan): SagaSummary {
  const startedAt = new Date(startOf(id)).toISOString()
  return { id, name, version, status: 'running', startedAt, endedAt: null, problem: null }
}

/** Of a saga whose end was just seen. */
export function endedSummary(id: string, plan: Plan, { status, problem, at }: End): SagaSummary {
  const endedAt = status === 'needs_attention' ? null : new Date(at).toISOString()
  return { ...freshSummary(id, plan), status, problem, endedAt }
}

/** What a saga came to: its output when it is completed. */
export function outputOf(plan: Plan, journal: string): Json {
  const state: SagaState = foldEntries(decodeEntries(journal))
  return state.status === 'completed' ? resultOf(plan, state) : null
}

/** The instant in a UUIDv7, ms since the epoch. */
const startOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
