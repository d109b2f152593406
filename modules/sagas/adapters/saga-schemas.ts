import { z } from 'zod'
import type { HistoryEvent } from '../app/look/history.ts'
import type { SagaDetail } from '../app/look/saga-detail.ts'
import type { StepView } from '../app/look/step-views.ts'
import type { Waiting } from '../app/look/waiting.ts'
import type { SagaSummary } from '../app/views.ts'
import { stepKinds } from '../domain/definition.ts'
import { actions } from '../domain/entry.ts'
import type { Json } from '../domain/json.ts'
import { sagaStatuses } from '../domain/state.ts'

/* Answers about sagas, for the OpenAPI document. What each member means to people: docs/sagas.md. */

const instant = z.string().meta({ format: 'date-time' })
const json = z.custom<Json>().describe('Any JSON value')
const status = z.enum(sagaStatuses)
const problem = z.object({ code: z.string(), detail: z.string() })
const reason = problem.extend({ step: z.string().nullable() })

const summary = {
  id: z.uuid(),
  name: z.string(),
  version: z.int().min(1).describe('Of the definition'),
  status,
  startedAt: instant,
  endedAt: instant.nullable(),
  problem: z.string().nullable().describe('What keeps it from going on, if anything does'),
}
export const sagaSummary = z.object(summary).meta({ id: 'SagaSummary' }) satisfies z.ZodType<SagaSummary>

export const startedSaga = z
  .object({ ...summary, output: json.describe('Of a saga that is completed; else null') })
  .meta({ id: 'StartedSaga' })

const attempts = {
  attempts: z.int().min(0),
  startedAt: instant.nullable(),
  endedAt: instant.nullable(),
  nextAttemptAt: instant.nullable(),
  problem: problem.nullable(),
}
const undo = z.object({ status: z.enum(['owed', 'calling', 'retrying', 'done', 'stuck']), ...attempts })

const step = z
  .object({
    id: z.string(),
    kind: z.enum(stepKinds),
    status: z.enum(['not_started', 'calling', 'retrying', 'waiting', 'done', 'failed', 'skipped']),
    ...attempts,
    output: json,
    outputBytes: z.int().optional().describe('The output is too large to be shown here; the history has it'),
    effect: z.enum(['none', 'unknown', 'done']).describe('What is known of it in the world'),
    pivot: z.literal(true).optional(),
    child: z.uuid().optional(),
    branch: z.int().optional().describe('That a choice took, from 0; -1 for `otherwise`'),
    undo: undo.nullable(),
  })
  .meta({ id: 'SagaStep' }) satisfies z.ZodType<StepView>

const waiting = z
  .object({
    for: z.enum(['answer', 'retry', 'instant', 'event', 'lock', 'child', 'undo', 'operator', 'worker']),
    step: z.string().nullable(),
    undo: z.boolean(),
    since: instant,
    until: instant.nullable(),
    detail: z.string(),
    blocked: z.string().optional().describe('Why the participant is not being called at the moment'),
    event: z.object({ type: z.string(), match: z.record(z.string(), json).nullable() }).optional(),
    lock: z.object({ key: z.string(), holder: z.object({ saga: z.uuid(), since: instant }).nullable() }).optional(),
    child: z.object({ id: z.string(), status: status.nullable(), problem: z.string().nullable() }).optional(),
    actions: z.array(z.enum(actions)).optional().describe('What an operator may order for the step'),
  })
  .meta({
    id: 'SagaWaiting',
    description: 'Why a saga does not go on, and what would let it',
  }) satisfies z.ZodType<Waiting>

const detail = {
  ...summary,
  input: json,
  output: json.describe('Of a saga that is completed; else null'),
  steps: z.array(step),
  waitingFor: z.array(waiting),
  turned: reason.nullable().describe('Why what was done is being undone, or was'),
  halted: reason.nullable().describe('Why it needs attention'),
  deadlineAt: instant.nullable(),
  worker: z.string().nullable(),
  dueAt: instant.nullable(),
  startedBy: z.string().nullable().describe('The event that started it, `<source> <id>`'),
  knownAs: z
    .string()
    .describe('What participants know it by: its id, or an alias when an event started it')
    .meta({ format: 'uuid' }),
  parent: z.object({ saga: z.uuid(), step: z.string() }).nullable(),
  traceparent: z.string().nullable(),
}
export const sagaDetail = z.object(detail).meta({ id: 'Saga' }) satisfies z.ZodType<SagaDetail>
export const orderedSaga = z
  .object({
    ...detail,
    order: z.string().meta({ format: 'uuid' }).describe('Names the order in the history of the saga'),
  })
  .meta({ id: 'OrderedSaga' })

export const historyEvent = z
  .looseObject({
    n: z.int().min(1),
    at: instant,
    event: z.string().describe('What happened: docs/sagas.md has the names and their further members'),
    step: z.string().optional(),
    undo: z.literal(true).optional(),
  })
  .meta({ id: 'SagaHistoryEvent' }) satisfies z.ZodType<Omit<HistoryEvent, 'event'>>
