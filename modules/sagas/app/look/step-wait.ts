import type { Step } from '../../domain/definition.ts'
import type { StepState } from '../../domain/state.ts'
import { awaitedFields, lockKey } from './awaited.ts'
import { callWait, childWait } from './call-wait.ts'
import { instant, type SeenSaga } from './seen-saga.ts'
import type { Surroundings, Waiting } from './waiting.ts'

/** What the step itself waits for, if anything. Once the saga is being undone, or needs attention, that is calls alone. */
export function stepWait(saga: SeenSaga, id: string, step: StepState, around: Surroundings): Waiting | undefined {
  const planned = saga.plan.steps.get(id)
  const { turned, halted } = saga.state
  if (!planned || ((turned || halted) && step.status !== 'calling')) return undefined
  if (step.status === 'calling' || step.status === 'retrying') {
    const last = saga.spans.get(id)?.forward?.last ?? 0
    return callWait(saga, { step: id, undo: false, call: planned.call, tries: step, last }, around)
  }
  return step.status === 'waiting' ? waitOf(saga, planned.step, step, around) : undefined
}

function waitOf(saga: SeenSaga, step: Step, now: StepState, around: Surroundings): Waiting | undefined {
  const until = now.until === undefined ? null : instant(saga, now.until)
  const since = instant(saga, saga.spans.get(step.id)?.forward?.last ?? 0)
  const own = { step: step.id, undo: false, since, until }
  if ('wait' in step) return { for: 'instant', ...own, detail: `until ${until}` }
  if ('waitFor' in step) {
    const { type } = step.waitFor
    const event = { type, match: awaitedFields(saga, step.id) }
    return { for: 'event', ...own, detail: `an event of type ${type} with the fields that match`, event }
  }
  if ('lock' in step) {
    const key = lockKey(saga, step.id)
    const found = around.holder(key)
    const holder = found ? { saga: found.sagaId, since: found.since.toISOString() } : null
    const who = holder ? `saga ${holder.saga} holds it` : 'nobody holds it; it is about to be granted'
    return { for: 'lock', ...own, detail: `the lock ${key}: ${who}`, lock: { key, holder } }
  }
  if ('child' in step) return childWait(own, step.child.saga, now.childId ?? '', around)
  // A choice waits for the steps of its branch, which say so themselves.
  return undefined
}
