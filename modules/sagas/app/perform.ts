import { ExpressionError } from '../domain/expression.ts'
import { leavesWithinMs, nextOf } from '../domain/key.ts'
import { buildRequest } from '../domain/request.ts'
import { failCall, postpone, settleCall, settleUndo } from '../domain/settle.ts'
import type { Act } from '../domain/turn.ts'
import type { Instance } from './instance.ts'
import { attemptSpan, endAttempt } from './saga-spans.ts'

/** Postponements of a call up to this long, all together, are waited for in memory, ms; what is longer is written down. */
const shortMs = 2_000

/** Does what a committed turn asks for. Nothing here throws: what comes of it is pushed to the saga. */
export function perform(saga: Instance, acts: readonly Act[]): void {
  for (const act of acts) {
    switch (act.kind) {
      case 'call':
        void call(saga, act)
        break
      case 'lock':
        saga.engine.holdings.takeLock(saga, act.step, act.key)
        break
      case 'leave-line':
        saga.engine.holdings.leaveLine(saga, act.step)
        break
      case 'await':
        saga.engine.holdings.awaitEvent(saga, act)
        break
      case 'child':
        saga.engine.startChild(saga, act)
        break
      case 'undo-child':
        saga.engine.holdings.undoChild(saga, act.step, act.childId)
        break
      case 'emit':
      case 'tell-parent':
        // Written in the transaction of the turn.
        break
    }
  }
}

/** A call may wait so long for others to the same participant, ms (src/resilience/breakers.ts). */
const queueMs = 250

/**
 * Why a call must not leave any more that was to leave when the turn decided so: since then a commit took long, or the
 * participant was not called.
 */
function whyTooLate(saga: Instance, id: string, undo: boolean): string | undefined {
  const planned = saga.plan.steps.get(id)
  const step = saga.state.steps.get(id)
  const call = undo ? planned?.undo : planned?.call
  const tries = undo ? step?.undo : step
  if (!call || !tries) return undefined
  const leavesAt = saga.now() + queueMs
  if (nextOf(call, tries, leavesAt) !== 'send') return 'its participant may have forgotten the key by now'
  // Whoever takes the saga over counts on that when it waits for the end of the call.
  return leavesAt > tries.lastAt + leavesWithinMs ? 'too much time has passed since its intent' : undefined
}

/** While the call waited for its participant the saga may have turned back: it would only be undone. */
const whyNotAtAll = ({ state }: Instance, undo: boolean): string | undefined =>
  state.turned && !undo ? 'the saga is being undone by now' : undefined

type Call = Extract<Act, { kind: 'call' }>

async function call(saga: Instance, act: Call, waitedMs = 0): Promise<void> {
  const { step, undo, look } = act
  try {
    const request = buildRequest(saga, step, undo, look)
    // A worker that stood still after the commit may have lost the saga meanwhile.
    if (saga.gone) return
    const why = look ? undefined : (whyNotAtAll(saga, undo) ?? whyTooLate(saga, step, undo))
    if (why !== undefined) return saga.push((turn) => postpone(turn, step, undo, queueMs, why))
    const span = attemptSpan(saga, act, request)
    const traceparent = span?.traceparent ?? saga.state.origin.trace
    const outgoing = { ...request, tenant: saga.tenant, undo, fence: saga.fence, traceparent }
    const outcome = await saga.engine.participants.call(outgoing, saga.signal)
    endAttempt(span, outcome)
    if (outcome.kind === 'postponed') {
      const waits = waitedMs + outcome.afterMs
      if (waits <= shortMs) return void setTimeout(() => saga.gone || void call(saga, act, waits), outcome.afterMs)
      return saga.push((turn) => postpone(turn, step, undo, outcome.afterMs, outcome.why))
    }
    saga.push((turn) => (undo ? settleUndo(turn, step, look, outcome) : settleCall(turn, step, look, outcome)))
  } catch (error) {
    if (error instanceof ExpressionError) return saga.push((turn) => failCall(turn, step, undo, error.message))
    saga.engine.abandon(saga, error)
  }
}
