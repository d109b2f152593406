import { AppError, type Call, type Route, type RouteRequest, type RouteResponse } from '@splitstream/kernel'
import type { StorageRead } from '@splitstream/storage/contract'
import { listEvents } from '../app/list-events.ts'
import { runQuery } from '../app/run-query.ts'
import { parseQueryRequest } from '../domain/query-request.ts'
import { listParameters, readListParameters } from './list-parameters.ts'
import type { StaleAnswers } from './stale-answers.ts'
import { type StreamRouteDeps, streamRoute } from './stream-route.ts'

export interface QueryRouteDeps extends StreamRouteDeps {
  readonly storage: StorageRead
  readonly cursorSecret: Uint8Array
  readonly partitions: number
  readonly answers: StaleAnswers
  /** Told how long each request took, seconds, and how it ended. */
  observe(route: string, seconds: number, outcome: 'ok' | 'failed', call: Call): void
  /** Monotonic, ms. */
  now(): number
}

const maxBodyBytes = 1_048_576
const utf8 = new TextDecoder('utf-8', { fatal: true })

export function queryRoutes(deps: QueryRouteDeps): Route[] {
  const stream = streamRoute(deps)
  return [
    // The time is that until the stream begins.
    { ...stream, handle: timed(deps, 'stream', stream.handle) },
    {
      method: 'GET',
      path: '/v1/events',
      scope: 'query',
      summary: 'List events, newest first, by type, source, subject, time and conditions on data',
      query: listParameters,
      handle: timed(deps, 'list', async ({ query }, call) => {
        const { after, ...request } = readListParameters(query)
        const question = { kind: 'list', request, after, call }
        return await deps.answers.answer(question, () => listEvents(deps, { ...request, after }, call))
      }),
    },
    {
      method: 'POST',
      path: '/v1/query',
      scope: 'query',
      summary: 'Aggregate events: measures by groups and time buckets',
      accepts: ['application/json'],
      maxBodyBytes,
      handle: timed(deps, 'query', async ({ body }, call) => {
        const { input, after } = parseQueryRequest(parseJson(body))
        const question = { kind: 'query', request: input, after, call }
        return await deps.answers.answer(question, () => runQuery(deps, { input, after }, call))
      }),
    },
  ]
}

type Handle = (request: RouteRequest, call: Call) => Promise<RouteResponse>

function timed(deps: QueryRouteDeps, route: string, handle: Handle): Handle {
  return async (request, call) => {
    const from = deps.now()
    let outcome: 'ok' | 'failed' = 'failed'
    try {
      const response = await handle(request, call)
      outcome = 'ok'
      return response
    } finally {
      deps.observe(route, (deps.now() - from) / 1000, outcome, call)
    }
  }
}

function parseJson(body: Uint8Array): unknown {
  if (body.length === 0) throw new AppError('BODY_EMPTY', 'The body is empty')
  try {
    return JSON.parse(utf8.decode(body))
  } catch (error) {
    throw new AppError('BODY_MALFORMED', 'The body is not valid JSON', { cause: error })
  }
}
