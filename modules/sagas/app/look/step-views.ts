import { isOwed } from '../../domain/compensate.ts'
import { allSteps, kindOf, type Step, type StepKind } from '../../domain/definition.ts'
import type { Json } from '../../domain/json.ts'
import type { Problem, StepState } from '../../domain/state.ts'
import type { Turn } from '../../domain/turn.ts'
import { blockProgress } from './block-progress.ts'
import { dryTurn, instant, type SeenSaga } from './seen-saga.ts'

/** A step of a saga, for people and programs that look at it. */
export interface StepView {
  readonly id: string
  readonly kind: StepKind
  readonly status: 'not_started' | StepState['status'] | 'skipped'
  /** Calls in the present budget, which an operator's retry begins anew. */
  readonly attempts: number
  readonly startedAt: string | null
  readonly endedAt: string | null
  readonly nextAttemptAt: string | null
  /** Of a step that is done, when it has one. */
  readonly output: Json
  /** The output is too large for this view; the history has it. */
  readonly outputBytes?: number
  readonly problem: Problem | null
  /** What is known of it in the world: `none` certainly nothing happened, `unknown` perhaps, `done` it did. */
  readonly effect: 'none' | 'unknown' | 'done'
  readonly pivot?: true
  /** The child saga of a step. */
  readonly child?: string
  /** The branch that a choice took, from 0; -1 for `otherwise`. */
  readonly branch?: number
  /** What is undone of it, or has to be; null when there is nothing to undo by now. */
  readonly undo: UndoView | null
}

export interface UndoView {
  readonly status: 'owed' | 'calling' | 'retrying' | 'done' | 'stuck'
  readonly attempts: number
  readonly startedAt: string | null
  readonly endedAt: string | null
  readonly nextAttemptAt: string | null
  readonly problem: Problem | null
}

/** Larger outputs are not shown with the saga, characters of JSON. */
const maxOutput = 65_536

/** All steps of the saga's definition, outer before inner, in the order in which they are written. */
export function stepViews(saga: SeenSaga): StepView[] {
  const turn = dryTurn(saga)
  return [...allSteps(saga.plan.definition.steps)].map((step) => stepView(saga, turn, step))
}

function stepView(saga: SeenSaga, turn: Turn, step: Step): StepView {
  const { id } = step
  const now = saga.state.steps.get(id)
  const span = saga.spans.get(id)
  const { forward } = span ?? {}
  const skipped = span?.skipped === true && now?.status === 'done'
  const kind = kindOf(step)
  const status =
    'parallel' in step || ('choice' in step && now?.status === 'waiting')
      ? blockProgress(saga, step)
      : (now?.status ?? 'not_started')
  return {
    id,
    kind,
    status: skipped ? 'skipped' : status,
    attempts: now?.attempts ?? 0,
    startedAt: forward ? instant(saga, forward.from) : null,
    endedAt: forward?.to === undefined ? null : instant(saga, forward.to),
    nextAttemptAt: now?.status === 'retrying' && goesOn(saga) ? instant(saga, now.due) : null,
    ...outputOf(now),
    problem: now?.problem ?? null,
    effect: effectOf(now),
    ...(saga.plan.steps.get(id)?.pivot && { pivot: true }),
    ...(now?.childId !== undefined && { child: now.childId }),
    ...(kind === 'choice' && now && { branch: now.branch }),
    undo: now ? undoView(saga, turn, id, now) : null,
  }
}

/** Steps do, and not only undos. */
const goesOn = ({ state }: SeenSaga): boolean => !state.turned && !state.halted

function outputOf(now: StepState | undefined): Pick<StepView, 'output' | 'outputBytes'> {
  if (now?.status !== 'done') return { output: null }
  const bytes = JSON.stringify(now.output).length
  return bytes > maxOutput ? { output: null, outputBytes: bytes } : { output: now.output }
}

function effectOf(now: StepState | undefined): StepView['effect'] {
  if (!now) return 'none'
  if (now.status === 'done') return now.effect === 'none' ? 'none' : 'done'
  // The intent is committed, so the call may have left.
  return now.status === 'calling' || (now.status === 'waiting' && now.childId !== undefined) ? 'unknown' : now.effect
}

function undoView(saga: SeenSaga, turn: Turn, id: string, now: StepState): UndoView | null {
  const { undo } = now
  const span = saga.spans.get(id)?.undo
  const times = {
    startedAt: span ? instant(saga, span.from) : null,
    endedAt: span?.to === undefined ? null : instant(saga, span.to),
  }
  if (undo) {
    const nextAttemptAt = undo.status === 'retrying' ? instant(saga, undo.due) : null
    return { status: undo.status, attempts: undo.attempts, ...times, nextAttemptAt, problem: undo.problem ?? null }
  }
  if (!saga.state.turned || !isOwed(turn, id, now)) return null
  return { status: 'owed', attempts: 0, ...times, nextAttemptAt: null, problem: null }
}
