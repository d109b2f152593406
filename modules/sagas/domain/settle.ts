import type { Scope } from './expression.ts'
import { judge, type Outcome, type Verdict } from './outcome.ts'
import { passedPivot } from './pivot.ts'
import type { PlannedCall, PlannedStep } from './plan.ts'
import { afterPivotRetry, backoffMs, nextDue, type Retry } from './retry.ts'
import type { Tries } from './state.ts'
import type { Turn } from './turn.ts'

type Ended = Exclude<Outcome, { kind: 'postponed' }>

/** The attempt of a step that was on its way has ended. */
export function settleCall(turn: Turn, id: string, look: boolean, outcome: Ended): void {
  const step = turn.state.steps.get(id)
  const planned = turn.plan.steps.get(id)
  if (step?.status !== 'calling' || !planned?.call) return
  const verdict = judgeForward(outcome, look)
  if (verdict.is === 'done') return finish(turn, id, planned, outcome)
  if (verdict.is === 'gone') return turn.add({ e: 'retry', ...anew(turn, id, step) })
  const problem = { s: id, t: turn.t, c: verdict.code, d: verdict.detail }
  if (verdict.is === 'refused') return turn.add({ e: 'failed', fx: step.effect, ...problem })
  const fx = step.effect === 'unknown' ? 'unknown' : verdict.effect
  const due = dueOf(turn, retryFor(turn, planned.call), step, verdict.afterMs)
  if (due === undefined || (isSpent(planned.call, verdict) && !planned.pivot)) turn.add({ e: 'failed', fx, ...problem })
  else turn.add({ e: 'retry', n: step.attempts, due, fx, ...problem })
}

/** The attempt to undo a step has ended. */
export function settleUndo(turn: Turn, id: string, look: boolean, outcome: Ended): void {
  const undo = turn.state.steps.get(id)?.undo
  const planned = turn.plan.steps.get(id)?.undo
  if (undo?.status !== 'calling' || !planned) return
  const verdict = look ? judgeLookup(outcome) : judge(outcome)
  if (verdict.is === 'done') return turn.add({ e: 'undone', s: id, t: turn.t })
  if (verdict.is === 'gone') return turn.add({ e: 'undo-retry', ...anew(turn, id, undo) })
  const problem = { s: id, t: turn.t, c: verdict.code, d: verdict.detail }
  const due = verdict.is === 'again' ? dueOf(turn, planned.retry, undo, verdict.afterMs) : undefined
  if (due === undefined || verdict.is !== 'again') return turn.add({ e: 'stuck', ...problem })
  const fx = undo.effect === 'unknown' ? 'unknown' : verdict.effect
  turn.add({ e: 'undo-retry', n: undo.attempts, due, fx, ...problem })
}

/** A lookup found nothing: the next attempt is a new request, under a new key. */
function anew({ t }: Turn, s: string, { attempts, key }: Tries) {
  const d = 'a lookup says that it never took effect'
  return { s, n: attempts, t, due: t, fx: 'none', k: key + 1, c: 'LOOKED_UP', d } as const
}

/** The call of a step, or of its undo, was not sent: its participant is not being called for `afterMs`. No attempt. */
export function postpone(turn: Turn, id: string, undo: boolean, afterMs: number, why: string): void {
  const step = turn.state.steps.get(id)
  const due = turn.t + afterMs
  const free = { t: turn.t, due, fx: 'none' as const, free: 1 as const, c: 'POSTPONED', d: why }
  if (undo) {
    if (step?.undo?.status === 'calling') turn.add({ e: 'undo-retry', s: id, n: step.undo.attempts, ...free })
  } else if (step?.status === 'calling') turn.add({ e: 'retry', s: id, n: step.attempts, ...free })
}

/** The call could not be made, as its expressions cannot be evaluated. They never will. */
export function failCall(turn: Turn, id: string, undo: boolean, detail: string): void {
  const step = turn.state.steps.get(id)
  const problem = { t: turn.t, c: 'EXPRESSION', d: detail }
  if (undo) {
    if (step?.undo?.status === 'calling') turn.add({ e: 'stuck', s: id, ...problem })
  } else if (step?.status === 'calling') turn.add({ e: 'failed', s: id, fx: step.effect, ...problem })
}

/** Calls that a worker had on their way when it lost the saga: nobody will hear how they ended. */
export function loseCalls(turn: Turn): void {
  for (const [id, step] of turn.state.steps) {
    const { call, undo } = turn.plan.steps.get(id) ?? {}
    const lost = { s: id, t: turn.t, c: 'LOST', d: 'the worker that made the call is gone' }
    if (step.status === 'calling' && call) {
      const due = dueAfterLoss(turn, retryFor(turn, call), step)
      if (due === undefined) turn.add({ e: 'failed', fx: 'unknown', ...lost })
      else turn.add({ e: 'retry', n: step.attempts, due, fx: 'unknown', ...lost })
    }
    if (step.undo?.status !== 'calling') continue
    if (step.childId !== undefined) turn.act({ kind: 'undo-child', step: id, childId: step.childId })
    else if (undo) {
      const due = dueAfterLoss(turn, undo.retry, step.undo)
      if (due === undefined) turn.add({ e: 'stuck', ...lost })
      else turn.add({ e: 'undo-retry', n: step.undo.attempts, due, fx: 'unknown', ...lost })
    }
  }
}

/** So many attempts may be lost before it counts that the definition allows fewer: it is not the participant that failed. */
const lossesForgiven = 3

/** At once, for nothing is known to be wrong; after a second loss in a row it may be this very call that brings workers down. */
function dueAfterLoss(turn: Turn, retry: Retry, { attempts, problem }: Tries): number | undefined {
  if (attempts >= Math.max(retry.attempts, 1 + lossesForgiven)) return undefined
  return problem?.code === 'LOST' ? turn.t + backoffMs(retry, attempts, turn.chance.fraction()) : turn.t
}

function finish(turn: Turn, id: string, { output }: PlannedStep, outcome: Ended): void {
  if (outcome.kind !== 'answered') return
  const { status, headers, body = null, unusable } = outcome
  // It took effect, and there is no output to go on with.
  if (unusable !== undefined) {
    return turn.add({ e: 'failed', s: id, t: turn.t, fx: 'unknown', c: 'ANSWER_UNUSABLE', d: unusable })
  }
  if (!output) return turn.add({ e: 'done', s: id, t: turn.t, ...(body !== null && { o: body }) })
  const scope: Scope = turn.scope(id, { response: { status, headers, body } })
  const mapped = turn.evaluate(id, () => output(scope), 'unknown')
  if (mapped) turn.add({ e: 'done', s: id, t: turn.t, o: mapped.value })
}

/** A step goes on with the body of its answer: one that was cut off is no answer yet, and an undo needs none. */
function judgeForward(outcome: Ended, look: boolean): ReturnType<typeof judgeLookup> {
  const verdict = look ? judgeLookup(outcome) : judge(outcome)
  if (verdict.is !== 'done' || outcome.kind !== 'answered' || !outcome.cut) return verdict
  return { is: 'again', effect: 'unknown', code: 'NO_ANSWER', detail: outcome.unusable ?? '', afterMs: 0 }
}

function judgeLookup(outcome: Ended): Verdict | { readonly is: 'gone' } {
  if (outcome.kind === 'answered' && outcome.status === 404) return { is: 'gone' }
  const verdict = judge(outcome)
  // A lookup that is refused says nothing about what it asks for.
  if (verdict.is !== 'refused') return verdict
  return { is: 'again', effect: 'unknown', code: verdict.code, detail: `lookup: ${verdict.detail}`, afterMs: 0 }
}

/** The participant would give the same error for the same key for ever. */
function isSpent(call: PlannedCall, verdict: Verdict): boolean {
  return (
    !call.lookup && call.settings.replaysErrors === true && verdict.is === 'again' && verdict.code.startsWith('HTTP_5')
  )
}

function retryFor(turn: Turn, call: PlannedCall): Retry {
  return !call.ownRetry && passedPivot(turn.plan, turn.state) ? afterPivotRetry : call.retry
}

function dueOf(turn: Turn, retry: Retry, { attempts, firstAt }: Tries, afterMs: number): number | undefined {
  return nextDue(retry, { attempts, firstAt, t: turn.t }, turn.chance.fraction(), afterMs)
}
