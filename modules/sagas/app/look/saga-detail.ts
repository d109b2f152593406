import type { Json } from '../../domain/json.ts'
import { resultOf } from '../../domain/scope.ts'
import type { Problem } from '../../domain/state.ts'
import { type SagaSummary, summaryOf } from '../views.ts'
import { instant, type SeenSaga } from './seen-saga.ts'
import { type StepView, stepViews } from './step-views.ts'
import type { Surroundings, Waiting } from './waiting.ts'
import { waitsOf } from './waits.ts'

/** All that there is to know about a saga, but for how it came there (history.ts). */
export interface SagaDetail extends SagaSummary {
  readonly input: Json
  /** Of a saga that is completed. */
  readonly output: Json
  readonly steps: readonly StepView[]
  readonly waitingFor: readonly Waiting[]
  /** Why what was done is being undone, or was. */
  readonly turned: Reason | null
  /** Why it needs attention. */
  readonly halted: Reason | null
  readonly deadlineAt: string | null
  /** Host and process of the worker that runs it; null while none has to. */
  readonly worker: string | null
  /** When a worker looks at it next, while it has none. */
  readonly dueAt: string | null
  /** The event that started it, `<source> <id>`. */
  readonly startedBy: string | null
  /** What participants know it by: its id, but for one that an event started. */
  readonly knownAs: string
  readonly parent: { readonly saga: string; readonly step: string } | null
  /** W3C trace context of the request or event that started it. */
  readonly traceparent: string | null
}

interface Reason extends Problem {
  readonly step: string | null
}

export function detailOf(saga: SeenSaga, around: Surroundings): SagaDetail {
  const { row, plan, state } = saga
  const { event, alias, parent, step, trace } = state.origin
  const { deadlineMs } = plan
  return {
    ...summaryOf(row),
    input: state.input,
    output: state.status === 'completed' ? resultOf(plan, state) : null,
    steps: stepViews(saga),
    waitingFor: waitsOf(saga, around),
    turned: reasonOf(state.turned),
    halted: reasonOf(state.halted),
    deadlineAt: deadlineMs === undefined ? null : instant(saga, deadlineMs),
    worker: row.worker,
    dueAt: row.due_at?.toISOString() ?? null,
    startedBy: event ?? null,
    knownAs: alias ?? row.id,
    parent: parent === undefined ? null : { saga: parent, step: step ?? '' },
    traceparent: trace ?? null,
  }
}

function reasonOf(reason: (Problem & { readonly step?: string | undefined }) | undefined): Reason | null {
  return reason ? { code: reason.code, detail: reason.detail, step: reason.step ?? null } : null
}
