import type { Effect, Entry, EventName, Origin, Progress } from './entry.ts'
import type { Json } from './json.ts'

/**
 * The states of a saga.
 *
 *   running ──all steps done──────────────────────────▶ completed
 *      │ a step failed for good, cancel, deadline
 *      ▼
 *   compensating ──every undo that is owed is done────▶ compensated
 *
 * From both, `needs_attention` when it cannot go on by itself: an undo has spent its attempts, a step after the pivot was
 * refused, or nobody can know whether a call took effect. An operator's retry, skip, resolve or cancel leads back. Undos that
 * are not stuck go on meanwhile; steps do not.
 *
 * A step that was begun is `calling` (its intent is committed), `retrying` (an attempt ended without a result, another is
 * due), `waiting`, `done` or `failed`. Its undo is owed from the intent on, until an answer says that nothing happened.
 */
export const sagaStatuses = ['running', 'compensating', 'completed', 'compensated', 'needs_attention'] as const
export type SagaStatus = (typeof sagaStatuses)[number]

export interface Problem {
  readonly code: string
  readonly detail: string
}

/** The attempts of one call, forward or undo. */
export interface Tries {
  /** Of the present budget; an operator's retry begins a new one. */
  attempts: number
  /** First attempt of the present budget, t; later by the time for which its participant was not being called. */
  firstAt: number
  /** Latest attempt, t. */
  lastAt: number
  /** First attempt that may have shown the present idempotency key to the participant, t; below 0 before it. */
  keyAt: number
  /** Latest attempt whose end nobody heard of, t; below 0 for none. It may arrive until its time is over. */
  silentAt: number
  /** Generation of the idempotency key, from 1. */
  key: number
  /** The present key was answered with a 5xx, which some participants repeat. */
  erred: boolean
  /** Whether any attempt may have taken effect. What is done has. */
  effect: Effect
  due: number
  problem: Problem | undefined
}

export interface UndoState extends Tries {
  status: 'calling' | 'retrying' | 'done' | 'stuck'
  /** How many steps were done when it was begun: its expressions see no others (scope.ts). */
  sees: number
}

export interface StepState extends Tries {
  status: 'calling' | 'retrying' | 'waiting' | 'done' | 'failed'
  /** Until when it waits, t; undefined for as long as it takes. */
  until: number | undefined
  childId: string | undefined
  /** Of a choice; -1 for none. */
  branch: number
  output: Json
  /** Of the steps that are done this one is the so manieth, from 1; 0 until then. */
  nth: number
  /** The event that it waited for and got. */
  event: EventName | undefined
  undo: UndoState | undefined
}

export interface SagaState {
  /** Start, ms since the epoch, by the database's clock. */
  at: number
  status: SagaStatus
  input: Json
  origin: Origin
  /** Steps that were begun, in the order in which they were: undo goes the other way. */
  readonly steps: Map<string, StepState>
  /** How many of them are done, or were. */
  done: number
  /** Operators' orders that were taken in. */
  readonly orders: Set<string>
  turned: (Problem & { readonly step?: string | undefined }) | undefined
  halted: (Problem & { readonly step?: string | undefined }) | undefined
  /** As the definition maps it; null when it does not, and then the outputs of the steps are the result. */
  output: Json
  /** t of the last entry. */
  last: number
}

/** The state after all entries. */
export function foldEntries(entries: Iterable<Entry>): SagaState {
  const state: SagaState = {
    at: 0,
    status: 'running',
    input: null,
    origin: {},
    steps: new Map(),
    done: 0,
    orders: new Set(),
    turned: undefined,
    halted: undefined,
    output: null,
    last: 0,
  }
  for (const entry of entries) applyEntry(state, entry)
  return state
}

/** Changes `state` by one fact. */
export function applyEntry(state: SagaState, entry: Entry): void {
  state.last = entry.t
  switch (entry.e) {
    case 'start':
      state.at = entry.at
      state.input = entry.in
      state.origin = entry.from ?? {}
      return
    case 'turn':
      state.turned = { code: entry.c, detail: entry.d, step: entry.s }
      state.halted = undefined
      state.status = 'compensating'
      return
    case 'halt':
      state.halted = { code: entry.c, detail: entry.d, step: entry.s }
      state.status = 'needs_attention'
      return
    case 'end':
      state.status = entry.as
      state.output = entry.o ?? null
      state.halted = undefined
      return
    case 'by':
      state.orders.add(entry.m)
      if (entry.no === undefined) applyAction(state, entry)
      return
    default:
      applyToStep(state, stepOf(state, entry.s), entry)
  }
}

type StepEntry = Exclude<Entry, { e: 'start' | 'turn' | 'halt' | 'end' | 'by' }>
type By = Extract<Entry, { e: 'by' }>

function applyToStep(state: SagaState, step: StepState, entry: StepEntry): void {
  switch (entry.e) {
    case 'go':
      leave(step, entry.t)
      step.status = 'calling'
      return
    case 'retry':
      comeBack(step, entry)
      step.status = 'retrying'
      return
    case 'tries':
      if (entry.u) step.undo ??= newUndo(state)
      resume(entry.u ? step.undo! : step, entry.to)
      return
    case 'done':
      finish(state, step, entry.o ?? null)
      step.effect = 'unknown'
      step.event = entry.ev
      return
    case 'failed':
      step.status = 'failed'
      step.effect = entry.fx
      failWith(step, entry)
      return
    case 'wait':
      step.status = 'waiting'
      step.until = entry.u
      step.childId = entry.id
      return
    case 'pick':
      step.status = 'waiting'
      step.branch = entry.b
      return
    default:
      step.undo ??= newUndo(state)
      applyToUndo(step.undo, entry)
  }
}

function finish(state: SagaState, step: StepState, output: Json): void {
  step.status = 'done'
  step.output = output
  step.problem = undefined
  step.nth = ++state.done
}

function applyToUndo(undo: UndoState, entry: Extract<Entry, { e: 'undo' | 'undo-retry' | 'undone' | 'stuck' }>): void {
  switch (entry.e) {
    case 'undo':
      leave(undo, entry.t)
      undo.status = 'calling'
      return
    case 'undo-retry':
      comeBack(undo, entry)
      undo.status = 'retrying'
      return
    case 'undone':
      undo.status = 'done'
      undo.problem = undefined
      return
    case 'stuck':
      undo.status = 'stuck'
      failWith(undo, entry)
  }
}

/** An attempt may leave from `t` on. */
function leave(tries: Tries, t: number): void {
  if (tries.attempts === 0) tries.firstAt = t
  tries.attempts++
  tries.lastAt = t
  if (tries.keyAt < 0) tries.keyAt = t
}

/** An attempt has ended without a result. */
function comeBack(tries: Tries, entry: Extract<Entry, { e: 'retry' | 'undo-retry' }>): void {
  tries.due = entry.due
  failWith(tries, entry)
  if (entry.free) {
    tries.attempts--
    tries.firstAt += entry.due - entry.t
  }
  if (entry.fx === 'unknown') tries.effect = 'unknown'
  if (entry.k !== undefined) Object.assign(tries, { key: entry.k, erred: false, effect: 'none' })
  // Nobody can know a key that certainly was not seen.
  if (tries.effect === 'none') tries.keyAt = -1
}

/** The other way round than in compact.ts. */
function resume(tries: StepState | UndoState, progress: Progress): void {
  const { n, first, last, silent, keyAt, key, erred, fx, due, c, d } = progress
  const attempts = { attempts: n, firstAt: first, lastAt: last, silentAt: silent, keyAt, key, erred, effect: fx, due }
  Object.assign(tries, { ...attempts, status: 'retrying', problem: { code: c, detail: d } })
}

/** What an operator's action changes; whether it is allowed was decided before (act.ts). */
function applyAction(state: SagaState, { a: action, s: id, o: output = null, k, t }: By): void {
  goOn(state)
  const step = id === undefined ? undefined : state.steps.get(id)
  if (!step) return
  if (action === 'cancel') {
    // The operator knows that the pivot took no effect.
    Object.assign(step, { status: 'failed', effect: 'none' })
    return
  }
  const tries = state.turned ? step.undo : step
  if (!tries) return
  if (action === 'retry') {
    Object.assign(tries, { status: 'retrying', attempts: 0, due: t })
    if (k !== undefined) Object.assign(tries, { key: k, keyAt: -1, erred: false })
    return
  }
  if (tries !== step) {
    tries.status = 'done'
    tries.problem = undefined
    return
  }
  finish(state, step, output)
  // Skipped: there is nothing to undo. Resolved: it took effect, as the operator says.
  step.effect = action === 'resolve' ? 'unknown' : 'none'
}

/** What kept the saga from going on is out of the way. */
function goOn(state: SagaState): void {
  state.halted = undefined
  state.status = state.turned ? 'compensating' : 'running'
}

/** After these the request may still be on its way, or be carried out behind a gateway. */
const silent = new Set(['LOST', 'NO_ANSWER', 'HTTP_408', 'HTTP_409', 'HTTP_502', 'HTTP_504'])

function failWith(tries: Tries, { c, d }: { readonly c: string; readonly d: string }): void {
  tries.problem = { code: c, detail: d }
  if (c.startsWith('HTTP_5')) tries.erred = true
  if (silent.has(c)) tries.silentAt = tries.lastAt
}

const noTries = (): Tries => ({
  attempts: 0,
  firstAt: 0,
  lastAt: 0,
  keyAt: -1,
  silentAt: -1,
  key: 1,
  erred: false,
  effect: 'none',
  due: 0,
  problem: undefined,
})

const newUndo = ({ done }: SagaState): UndoState => ({ status: 'calling', sees: done, ...noTries() })

function stepOf(state: SagaState, id: string): StepState {
  let step = state.steps.get(id)
  if (!step) {
    const fresh = { until: undefined, childId: undefined, branch: -1, output: null, nth: 0 }
    step = { status: 'calling', ...noTries(), ...fresh, event: undefined, undo: undefined }
    state.steps.set(id, step)
  }
  return step
}
