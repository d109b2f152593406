import { begin, tryAgain } from './begin.ts'
import { compensate } from './compensate.ts'
import type { Step } from './definition.ts'
import { dueAt } from './key.ts'
import { canTurn, passedPivot } from './pivot.ts'
import type { SagaState, StepState } from './state.ts'
import type { Turn } from './turn.ts'

/**
 * Takes a saga as far as it goes by itself: writes the entries that follow from where it is, and lists what is to be done
 * once they are committed. Ends with the saga waiting (for calls, an instant, an event), ended, or in need of attention.
 */
export function advance(turn: Turn): void {
  const { state } = turn
  goOn(turn)
  const undoing = state.status !== 'compensated' && state.turned !== undefined
  // What was found on the way does not count any more.
  if (state.status !== 'running' && !undoing) turn.wakeAt = undefined
  turn.drop((act) => (act.kind === 'lock' || act.kind === 'await') && !isWaiting(state, act.step))
}

/** A lock or an event that is asked for once more, as the saga was taken over, while the step that wants it runs out of time. */
const isWaiting = ({ turned, steps }: SagaState, id: string): boolean => !turned && steps.get(id)?.status === 'waiting'

function goOn(turn: Turn): void {
  const { plan, state } = turn
  // Each round either adds an entry that ends a step, or is the last one.
  for (;;) {
    if (state.status === 'completed' || state.status === 'compensated') return
    // Also in need of attention: the undos of other steps go on.
    if (state.turned) return compensate(turn)
    if (state.status !== 'running') return
    const failed = failedStep(turn)
    if (failed) {
      giveUp(turn, ...failed)
      continue
    }
    if (overdue(turn)) continue
    const end = walkBlock(turn, plan.definition.steps)
    if (end === 'failed') continue
    if (end === 'done') complete(turn)
    return
  }
}

/** `failed`: an entry says so, and the next round looks at it. */
type Progress = 'done' | 'pending' | 'failed'

function walkBlock(turn: Turn, block: readonly Step[]): Progress {
  for (const step of block) {
    const progress = walkStep(turn, step)
    if (progress !== 'done') return progress
  }
  return 'done'
}

function walkStep(turn: Turn, step: Step): Progress {
  if ('parallel' in step) return walkAll(turn, step.parallel)
  if (!turn.state.steps.has(step.id)) begin(turn, step)
  const now = turn.state.steps.get(step.id)!
  switch (now.status) {
    case 'done':
      return 'done'
    case 'failed':
      return 'failed'
    case 'calling':
      return 'pending'
    case 'retrying': {
      const call = turn.plan.steps.get(step.id)?.call
      const due = call ? dueAt(call, now, turn.t) : now.due
      if (due > turn.t) {
        turn.wake(due)
        return 'pending'
      }
      tryAgain(turn, step, now)
      return turn.state.status === 'running' ? walkStep(turn, step) : 'failed'
    }
    case 'waiting':
      return 'choice' in step ? walkBranch(turn, step, now) : waitOn(turn, step, now)
  }
}

function walkAll(turn: Turn, branches: readonly (readonly Step[])[]): Progress {
  let all: Progress = 'done'
  for (const branch of branches) {
    const progress = walkBlock(turn, branch)
    if (progress === 'failed') return 'failed'
    if (progress === 'pending') all = 'pending'
  }
  return all
}

function walkBranch(turn: Turn, step: Extract<Step, { choice: unknown }>, { branch }: StepState): Progress {
  const taken = branch < 0 ? step.otherwise : step.choice[branch]?.steps
  return taken ? walkBlock(turn, taken) : 'done'
}

/** A step that waits for an instant, at most: events, locks and children come from outside. */
function waitOn(turn: Turn, step: Step, { until }: StepState): Progress {
  if (until === undefined) return 'pending'
  if (until > turn.t) {
    turn.wake(until)
    return 'pending'
  }
  const { id } = step
  if ('wait' in step || ('waitFor' in step && step.waitFor.onTimeout === 'continue')) {
    turn.add({ e: 'done', s: id, t: turn.t })
    return 'done'
  }
  const what = 'lock' in step ? 'the lock' : 'the event'
  turn.add({ e: 'failed', s: id, t: turn.t, fx: 'none', c: 'TIMEOUT', d: `${what} did not come in time` })
  return 'failed'
}

function failedStep({ state }: Turn): [id: string, step: StepState] | undefined {
  for (const entry of state.steps) if (entry[1].status === 'failed') return entry
  return undefined
}

/** A step failed for good: back, if there is a way back. */
function giveUp(turn: Turn, id: string, step: StepState): void {
  const { code, detail } = step.problem ?? { code: 'FAILED', detail: '' }
  const unclear = turn.plan.steps.get(id)?.pivot === true && step.effect !== 'none'
  if (unclear || passedPivot(turn.plan, turn.state)) turn.add({ e: 'halt', s: id, t: turn.t, c: code, d: detail })
  else turn.add({ e: 'turn', s: id, t: turn.t, c: code, d: detail })
}

/** True when the deadline turned the saga. Until then it is one more reason to wake up. */
function overdue(turn: Turn): boolean {
  const { plan, state, t } = turn
  if (plan.deadlineMs === undefined || !canTurn(plan, state)) return false
  if (t < plan.deadlineMs) {
    turn.wake(plan.deadlineMs)
    return false
  }
  turn.add({ e: 'turn', t, c: 'DEADLINE', d: `the saga did not end within ${plan.definition.deadline}` })
  return true
}

function complete(turn: Turn): void {
  const { plan, t } = turn
  const { output } = plan
  if (!output) return turn.add({ e: 'end', t, as: 'completed' })
  const value = turn.evaluate(undefined, () => output(turn.scope(undefined)))
  if (value) turn.add({ e: 'end', t, as: 'completed', o: value.value })
}
