import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError, type Call, type Clock, type Logger, type Metrics, messageOf, type Route } from '@splitstream/kernel'
import { type BodyLimits, type InFlight, readBody } from './body.ts'
import type { KeyStore, Principal } from './keys/key-store.ts'
import { checkAccept, mediaTypeOf } from './media.ts'
import { problemOf, sendProblem } from './problem.ts'
import { readQuery } from './raw-checks.ts'
import { respond } from './respond.ts'

export interface ServeDeps {
  readonly keys: Pick<KeyStore, 'authenticate'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly body: BodyLimits
  readonly inFlight: InFlight
  /** Default time budget of a request, ms. */
  readonly budgetMs: number
}

export interface Matched {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
  readonly query: string
}

const json: readonly string[] = ['application/json']
const nothing = new Uint8Array(0)
const traceparent = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Principals of running calls, for what only the edge may ask: whether the caller is the operator. */
const principals = new WeakMap<Call, Principal>()
const anonymous: Principal = { id: 'anonymous', tenant: '', scopes: new Set(), operator: false }

export const isOperator = (call: Call): boolean => principals.get(call)?.operator === true

/**
 * What every request goes through, whichever router matched it: who is it → what does it ask → body → the module's
 * handler → answer. An error anywhere becomes one problem document.
 */
export function createServe(deps: ServeDeps) {
  const duration = deps.metrics.histogram('splitstream_http_request_duration_seconds', 'Time to answer', seconds, [
    'route',
    'status',
  ])
  const labels = new Map<string, { route: string; status: string }>()
  const labelsOf = (route: string, status: number) => {
    const key = `${route} ${status}`
    let found = labels.get(key)
    if (!found) {
      found = { route, status: String(status) }
      labels.set(key, found)
    }
    return found
  }

  return async (
    request: IncomingMessage,
    response: ServerResponse,
    match: () => Matched,
    requestId: string,
  ): Promise<void> => {
    const from = deps.clock.monotonic()
    let route: Route | undefined
    let reserved = 0
    try {
      const matched = match()
      route = matched.route
      const principal = route.scope === 'public' ? anonymous : authenticate(request, route, deps)
      const query = readQuery(matched.query, route.query ?? [])
      checkAccept(request.headers.accept, route.produces ?? json)
      const mediaType = takesBody(request, route) ? mediaTypeOf(contentType(request, route), route.accepts!) : ''
      let bytes: Uint8Array = nothing
      if (mediaType !== '') {
        const limits = route.maxBodyBytes === undefined ? deps.body : { ...deps.body, maxBytes: route.maxBodyBytes }
        const body = await readBody(request, limits, deps.inFlight)
        reserved = body.reserved
        bytes = body.bytes
        if (bytes.length === 0 && route.accepts![0] !== '*/*') throw new AppError('BODY_EMPTY', 'The body is empty')
      }
      const call = callOf(request, response, principal, from + (route.budgetMs ?? deps.budgetMs))
      const answer = await route.handle(
        { params: matched.params, query, headers: request.headers, mediaType, body: bytes },
        call,
      )
      await respond(response, answer, requestId)
    } catch (error) {
      const problem = problemOf(error, (request.url ?? '/').split('?', 1)[0]!, requestId)
      if (problem.status >= 500 && problem.status !== 503 && problem.status !== 507) {
        const cause = error instanceof Error ? error.stack : messageOf(error)
        deps.logger.error('a request failed', { requestId, route: route?.path, status: problem.status, error: cause })
      }
      response.setHeader('request-id', requestId)
      // What is left of the body is not going to be read.
      sendProblem(response, problem, !request.complete)
      if (!request.complete) response.once('finish', () => request.destroy())
    } finally {
      deps.inFlight.give(reserved)
      const took = (deps.clock.monotonic() - from) / 1000
      duration.observe(took, labelsOf(route?.path ?? 'unmatched', response.statusCode))
    }
  }
}

/** @throws AppError UNAUTHENTICATED (alike for every reason) or FORBIDDEN */
function authenticate(request: IncomingMessage, route: Route, deps: ServeDeps): Principal {
  const header = request.headers.authorization ?? ''
  const key = /^Bearer +(\S+)$/i.exec(header)?.[1]
  const principal = key === undefined ? undefined : deps.keys.authenticate(key)
  if (!principal) throw new AppError('UNAUTHENTICATED', 'Send a valid API key: Authorization: Bearer <key>')
  if (!principal.scopes.has(route.scope)) throw new AppError('FORBIDDEN', `The key needs the scope ${route.scope}`)
  return principal
}

/** @throws AppError REQUEST_INVALID when a body comes where none is taken: it would be read as the next request. */
function takesBody(request: IncomingMessage, route: Route): boolean {
  if (route.accepts) return true
  const length = request.headers['content-length']
  if (request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')) {
    throw new AppError('REQUEST_INVALID', 'This takes no body')
  }
  return false
}

/** Binary-mode events without data have no Content-Type. */
function contentType(request: IncomingMessage, route: Route): string | undefined {
  const given = request.headers['content-type']
  return (
    given ??
    (route.accepts![0] === '*/*' && request.headers['ce-type'] !== undefined ? 'application/octet-stream' : undefined)
  )
}

function callOf(request: IncomingMessage, response: ServerResponse, principal: Principal, deadline: number): Call {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new AppError('CANCELLED', 'The client went away'))
  })
  const trace = request.headers.traceparent
  const key = request.headers['idempotency-key']
  const call: Call = {
    tenant: principal.tenant,
    principal: principal.id,
    signal: gone.signal,
    deadline,
    ...(typeof trace === 'string' && traceparent.test(trace) && { traceparent: trace }),
    ...(typeof key === 'string' && { idempotencyKey: key }),
  }
  principals.set(call, principal)
  return call
}
