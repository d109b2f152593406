/** What the API answers about sagas, as far as the command line shows it (docs/sagas.md). */
export interface SagaSummary {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly status: string
  readonly startedAt: string
  readonly endedAt: string | null
  readonly problem: string | null
}

export interface SagaDetail extends SagaSummary {
  readonly input: unknown
  readonly output: unknown
  readonly steps: readonly StepView[]
  readonly waitingFor: readonly Waiting[]
  readonly turned: Reason | null
  readonly halted: Reason | null
  readonly worker: string | null
}

export interface StepView {
  readonly id: string
  readonly kind: string
  readonly status: string
  readonly attempts: number
  readonly effect: string
  readonly problem: Problem | null
  readonly undo: { readonly status: string; readonly attempts: number; readonly problem: Problem | null } | null
}

export interface Waiting {
  readonly for: string
  readonly step: string | null
  readonly undo: boolean
  readonly since: string
  readonly until: string | null
  readonly detail: string
  readonly blocked?: string
  readonly actions?: readonly string[]
}

interface Problem {
  readonly code: string
  readonly detail: string
}

interface Reason extends Problem {
  readonly step: string | null
}

export interface HistoryEvent {
  readonly n: number
  readonly at: string
  readonly event: string
  readonly step?: string
  readonly undo?: boolean
  readonly [member: string]: unknown
}
