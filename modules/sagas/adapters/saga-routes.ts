import { AppError, isUuid, type Route } from '@splitstream/kernel'
import { parseInstant } from '@splitstream/storage/contract'
import type { SagaDeps } from '../app/deps.ts'
import { showHistory, showSaga } from '../app/show-saga.ts'
import { summaryOf } from '../app/views.ts'
import type { SagaStatus } from '../domain/state.ts'
import { limitOf, wholeNumber } from './query-values.ts'

const statuses: readonly SagaStatus[] = ['running', 'compensating', 'completed', 'compensated', 'needs_attention']

/** Sagas over HTTP, for those who look at them: the list, one with all that it waits for, its history. */
export function sagaRoutes(deps: SagaDeps): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/sagas',
      scope: 'sagas',
      summary: 'List sagas, newest first',
      query: ['name', 'status', 'problem', 'from', 'to', 'limit', 'before'],
      handle: async ({ query }, call) => {
        const { name, status, problem, from, to, before } = query
        if (problem !== undefined && problem !== 'true') throw new AppError('REQUEST_INVALID', 'problem is true')
        if (before !== undefined && !isUuid(before)) throw new AppError('CURSOR_INVALID', 'before is the id of a saga')
        const { sagas, next } = await deps.rows.list(call.tenant, {
          name,
          status: statusOf(status),
          problem: problem === 'true',
          from: instantOf('from', from),
          to: instantOf('to', to),
          before,
          limit: limitOf(query.limit),
        })
        return { status: 200, json: { sagas: sagas.map(summaryOf), next: next ?? null } }
      },
    },
    {
      method: 'GET',
      path: '/v1/sagas/:id',
      scope: 'sagas',
      summary: 'A saga: its steps, and what it waits for',
      handle: async ({ params }, call) => ({ status: 200, json: await showSaga(deps, call.tenant, params.id ?? '') }),
    },
    {
      method: 'GET',
      path: '/v1/sagas/:id/history',
      scope: 'sagas',
      summary: 'All that happened to a saga, oldest first',
      query: ['after', 'limit'],
      handle: async ({ params, query }, call) => {
        const after = wholeNumber('after', query.after ?? '0', 0, 1_000_000_000)
        const page = { after, limit: limitOf(query.limit, 500) }
        return { status: 200, json: await showHistory(deps, call.tenant, params.id ?? '', page) }
      },
    },
  ]
}

function statusOf(text: string | undefined): SagaStatus | undefined {
  const status = statuses.find((one) => one === text)
  if (text !== undefined && !status) throw new AppError('REQUEST_INVALID', `status is one of ${statuses.join(', ')}`)
  return status
}

/** ms since the epoch; ids of sagas are no finer than that. */
function instantOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const micros = parseInstant(text)
  if (micros === undefined) throw new AppError('REQUEST_INVALID', `${name} is an RFC 3339 instant`)
  return Math.ceil(micros / 1_000)
}
