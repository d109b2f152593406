import type { Plan } from '../domain/plan.ts'
import { scopeOf } from '../domain/scope.ts'
import type { SagaState } from '../domain/state.ts'

export function buildRequest(
  saga: { id: string; plan: Plan; state: SagaState },
  id: string,
  undo: boolean,
  look: boolean,
) {
  const planned = saga.plan.steps.get(id)!
  const call = (undo ? planned.undo : planned.call)!
  const step = saga.state.steps.get(id)!
  const tries = undo ? step.undo! : step
  const idempotencyKey = `${saga.id}.${id}.${undo ? 'undo' : 'do'}${tries.key > 1 ? `.${tries.key}` : ''}`
  const scope = scopeOf(saga.id, saga.plan, saga.state, look ? { key: idempotencyKey } : undefined)
  const headers: Record<string, string> = {
    'splitstream-saga': saga.id,
    'splitstream-step': id,
    'splitstream-operation': undo ? 'undo' : 'do',
  }
  for (const [name, value] of call.headers) headers[name] = value(scope)
  return {
    participant: call.participant,
    settings: call.settings,
    method: look ? ('GET' as const) : call.method,
    url: look ? call.lookup!(scope) : call.url(scope),
    headers,
    body: look ? undefined : call.body?.(scope),
    idempotencyKey,
    timeoutMs: call.timeoutMs,
  }
}
