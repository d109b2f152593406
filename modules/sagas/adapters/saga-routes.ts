import { AppError, isUuid, type Route, routesOf } from '@splitstream/kernel'
import type { SagaDeps } from '../app/deps.ts'
import { showHistory, showSaga } from '../app/show-saga.ts'
import { startSaga } from '../app/start-saga.ts'
import { startedSagas } from '../app/started-sagas.ts'
import { summaryOf } from '../app/views.ts'
import { parseJson } from './parse-json.ts'
import { sagaOperations } from './saga-operations.ts'

/** Sagas over HTTP: start one, once for each Idempotency-Key; the list, one with all that it waits for, its history. */
export function sagaRoutes(deps: SagaDeps): Route[] {
  return routesOf(sagaOperations, {
    startSaga: async ({ params, query, body }, call) => {
      const started = await startSaga(deps, { name: params.name, input: parseJson(body), waitMs: query.wait }, call)
      const { saga, output, replayed } = started
      const ended = saga.status !== 'running' && saga.status !== 'compensating'
      return {
        status: ended ? 200 : 202,
        headers: { location: `/v1/sagas/${saga.id}`, ...(replayed && { 'idempotent-replayed': 'true' }) },
        json: { ...saga, output },
      }
    },
    listSagas: async ({ query }, call) => {
      const { before } = query
      if (before !== undefined && !isUuid(before)) throw new AppError('CURSOR_INVALID', 'before is the id of a saga')
      const { name, status, problem, from, to, limit } = query
      const ids = await startedSagas(deps, call.tenant, query)
      const { sagas, next } = await deps.rows.list(call.tenant, { name, status, problem, from, to, ids, before, limit })
      return { status: 200, json: { sagas: sagas.map(summaryOf), next: next ?? null } }
    },
    getSaga: async ({ params }, call) => ({ status: 200, json: await showSaga(deps, call.tenant, params.id) }),
    getSagaHistory: async ({ params, query }, call) => ({
      status: 200,
      json: await showHistory(deps, call.tenant, params.id, query),
    }),
  })
}
