import { knownAs } from './alias.ts'
import type { Participant, ParticipantRequest } from './definition.ts'
import type { Scope } from './expression.ts'
import type { Json } from './json.ts'
import type { PlannedHeaders } from './plan.ts'
import { type ScopeSource, scopeOf } from './scope.ts'

/** A call of a step as it leaves: everything that follows from the saga, nothing of the connection or its owner. */
export interface StepRequest {
  /** `<saga name>/<participant>`. */
  readonly participant: string
  readonly settings: Participant
  readonly method: NonNullable<ParticipantRequest['method']>
  /** Absolute. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Absent for none. */
  readonly body?: Json
  /** Of a lookup: the key of the request that it asks for. */
  readonly idempotencyKey: string
  readonly timeoutMs: number
  /** It counts as slow after this, ms. */
  readonly slowMs: number
}

/**
 * The request of a step's call, of its undo, or of the lookup that asks what became of either. The same facts give the same
 * request, so that all attempts under one key are alike.
 * @throws ExpressionError when an expression of it cannot be evaluated, or gives what cannot be sent
 */
export function buildRequest(source: ScopeSource, step: string, undo: boolean, look: boolean): StepRequest {
  const { plan, state } = source
  const saga = knownAs(source)
  const planned = plan.steps.get(step)
  const call = undo ? planned?.undo : planned?.call
  const now = state.steps.get(step)
  if (!call || !now) throw new RangeError(`step ${step} has no ${undo ? 'undo' : 'call'} to send`)
  const operation = undo ? 'undo' : 'do'
  const generation = (undo ? now.undo?.key : now.key) ?? 1
  const idempotencyKey = `${saga}.${step}.${operation}${generation > 1 ? `.${generation}` : ''}`
  const { participant, settings, timeoutMs, slowMs, method, url, body } = call
  const headersFor = (planned: PlannedHeaders, scope: Scope) => ({
    ...Object.fromEntries(planned.map(([name, value]) => [name, value(scope)])),
    'splitstream-saga': saga,
    'splitstream-step': step,
    'splitstream-operation': operation,
  })
  const common = { participant, settings, idempotencyKey, timeoutMs, slowMs }
  if (look) {
    const scope = scopeOf(source, { step, undo }, { key: idempotencyKey })
    return { ...common, method: 'GET', url: call.lookup!(scope), headers: headersFor(call.lookupHeaders, scope) }
  }
  const scope = scopeOf(source, { step, undo })
  const headers = headersFor(call.headers, scope)
  return { ...common, method, url: url(scope), headers, ...(body && { body: body(scope) }) }
}
