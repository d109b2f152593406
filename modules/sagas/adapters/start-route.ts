import { AppError, type Route } from '@splitstream/kernel'
import type { SagaDeps } from '../app/deps.ts'
import { startSaga } from '../app/start-saga.ts'
import { maxInputBytes } from '../domain/trigger.ts'
import { parseJson } from './parse-json.ts'

const maxWaitSeconds = 30

/** POST /v1/sagas/{name}: starts a saga, once for each Idempotency-Key. */
export function startRoute(deps: SagaDeps): Route {
  return {
    method: 'POST',
    path: '/v1/sagas/:name',
    scope: 'sagas',
    hot: true,
    summary: 'Start a saga; with wait=<seconds> the answer comes when it has ended',
    query: ['wait'],
    accepts: ['application/json'],
    maxBodyBytes: maxInputBytes,
    handle: async ({ params, query, body }, call) => {
      const waitMs = waitOf(query.wait) * 1_000
      const started = await startSaga(deps, { name: params.name ?? '', input: parseJson(body), waitMs }, call)
      const { saga, output, replayed } = started
      const ended = saga.status !== 'running' && saga.status !== 'compensating'
      return {
        status: ended ? 200 : 202,
        headers: { location: `/v1/sagas/${saga.id}`, ...(replayed && { 'idempotent-replayed': 'true' }) },
        json: { ...saga, output },
      }
    },
  }
}

function waitOf(text: string | undefined): number {
  if (text === undefined) return 0
  const seconds = /^\d+(\.\d+)?s?$/.test(text) ? Number.parseFloat(text) : Number.NaN
  if (seconds >= 0 && seconds <= maxWaitSeconds) return seconds
  throw new AppError('REQUEST_INVALID', `wait is a number of seconds, ${maxWaitSeconds} at most`)
}
