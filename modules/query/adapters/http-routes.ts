import { AppError, type Call, type Handler, type Operation, type Route, routesOf } from '@splitstream/kernel'
import type { StorageRead } from '@splitstream/storage/contract'
import { listEvents } from '../app/list-events.ts'
import { runQuery } from '../app/run-query.ts'
import { parseQueryRequest } from '../domain/query-request.ts'
import { filtersOf } from './list-parameters.ts'
import { queryOperations } from './operations.ts'
import type { StaleAnswers } from './stale-answers.ts'
import { type StreamRouteDeps, streamHandler } from './stream-route.ts'

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

const utf8 = new TextDecoder('utf-8', { fatal: true })

export function queryRoutes(deps: QueryRouteDeps): Route[] {
  return routesOf(queryOperations, {
    // The time is that until the stream begins.
    streamEvents: timed(deps, 'stream', streamHandler(deps)),
    listEvents: timed(deps, 'list', async ({ query }, call) => {
      const { from, to, limit, cursor, after } = query
      const request = { range: { from, to }, filters: filtersOf(query), limit, cursor }
      const question = { kind: 'list', request, after, call }
      return await deps.answers.answer(question, () => listEvents(deps, { ...request, after }, call))
    }),
    queryEvents: timed(deps, 'query', async ({ body }, call) => {
      const { input, after } = parseQueryRequest(parseJson(body))
      const question = { kind: 'query', request: input, after, call }
      return await deps.answers.answer(question, () => runQuery(deps, { input, after }, call))
    }),
  })
}

function timed<O extends Operation>(deps: QueryRouteDeps, route: string, handle: Handler<O>): Handler<O> {
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
