import {
  AppError,
  type Clock,
  codeOf,
  type Logger,
  type Route,
  type RouteRequest,
  type Span,
  stackOf,
  traceIdOf,
} from '@splitstream/kernel'
import type { Admission } from './admission/admission.ts'
import { type Authenticator, authenticate } from './authenticate.ts'
import { type BodyLimits, type Reading, readBody } from './body.ts'
import { callOf, traceparentOf } from './call.ts'
import type { Exchange } from './exchange.ts'
import type { HttpMetrics } from './http-metrics.ts'
import type { HttpSpans } from './http-spans.ts'
import type { InFlight, Share } from './in-flight.ts'
import type { Principal } from './keys/principal.ts'
import type { EdgeLimits } from './limits.ts'
import { isLive, whileAllowed } from './live.ts'
import { checkAccept, hasBody, mediaTypeOf } from './media.ts'
import { problemOf, sendProblem } from './problem.ts'
import { readQuery } from './query-params.ts'
import { respond } from './respond.ts'

export { isOperator } from './call.ts'

export interface ServeDeps {
  readonly keys: Authenticator
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: HttpMetrics
  readonly spans: HttpSpans
  readonly inFlight: InFlight
  readonly admission: Admission
  readonly limits: EdgeLimits
  /** Aborted when the process is asked to stop. */
  readonly stopping: AbortSignal
}

export interface Matched {
  readonly route: Route
  readonly params: RouteRequest['params']
  /** As it came, without the question mark. */
  readonly query: string
}

/** Answers one request. `match` gives the route, or throws why there is none. */
export type Serve = (exchange: Exchange, match: () => Matched) => Promise<void>

const json: readonly string[] = ['application/json']
const nothing = new Uint8Array(0)

/**
 * What every request goes through, whichever router matched it: who is it → is there room → what does it ask → body → the
 * module's handler → answer. Nothing is read before the key is known, and nothing is answered before the body is well framed. An
 * error anywhere becomes one problem document.
 */
export function createServe(deps: ServeDeps): Serve {
  const { clock, limits, inFlight, admission, stopping } = deps
  const bodyLimits = bodyLimitsOf(limits)

  return async (exchange, match) => {
    const { request, response } = exchange
    const from = clock.monotonic()
    admission.enter(from)
    let route: Route | undefined
    let reading: Reading | undefined
    let share: Share | undefined
    let principal: Principal | undefined
    let trace: string | undefined
    let span: Span | undefined
    let live = false
    try {
      const matched = match()
      route = matched.route
      const { headers } = request
      principal = authenticate(headers.authorization, route.scope, deps.keys)
      admission.admit(route, principal, exchange, from)
      trace = traceparentOf(headers)
      span = deps.spans.begin(route, principal, trace, from)
      trace = deps.spans.contextOf(span, trace)
      if (route.operator && !principal.operator) throw new AppError('FORBIDDEN', 'Only the operator may do this')
      const query = readQuery(matched.query, route.query ?? none)
      checkAccept(headers.accept, route.produces ?? json)
      const mediaType = mediaTypeOf(headers, route)
      let body: Uint8Array = nothing
      if (mediaType !== '') {
        share = inFlight.of(principal.tenant)
        reading = readBody(request, response, bodyLimits(route), share)
        body = await exchange.reading(reading, from + limits.bodyTimeoutMs)
        admission.received(principal, exchange, body.length, clock.monotonic())
        if (body.length === 0 && !mayBeEmpty(route)) throw new AppError('BODY_EMPTY', 'The body is empty')
      }
      const deadline = clock.monotonic() + (route.budgetMs ?? limits.budgetMs)
      const call = callOf(headers, principal, deadline, exchange.abort, trace)
      const { operator } = principal
      const asked = { params: matched.params, query, headers, mediaType, body, operator, stopping }
      const answer = await exchange.handling(() => matched.route.handle(asked, call), deadline)
      exchange.answering(clock.monotonic(), limits.stallMs)
      live = isLive(answer)
      // How long a live answer lasts is no measure of speed: it counts as answered when it begins.
      if (!live) {
        await respond(exchange, answer)
        // Only after the handler's own end: one that is late may still read it.
        reading?.release()
      }
      deps.metrics.observe(route, answer.status, clock.monotonic() - from)
      if (span) deps.spans.end(span, answer.status)
      if (live) {
        const { scope } = route
        const check = () => authenticate(headers.authorization, scope, deps.keys)
        await respond(exchange, whileAllowed(answer, check))
      }
    } catch (error) {
      exchange.answering(clock.monotonic(), limits.stallMs)
      // A connection that is gone makes everything fail; what it was that failed does not matter then.
      const why = response.destroyed ? new AppError('CANCELLED', 'The client went away', { cause: error }) : error
      const problem = problemOf(why, pathOf(request.url), exchange.id)
      report(deps.logger, why, problem.status, {
        requestId: exchange.id,
        route: route?.path,
        tenant: principal?.tenant,
        traceId: traceIdOf(trace),
      })
      const rest = !hasBody(request.headers) || request.complete ? 'none' : reading ? 'cut' : 'unread'
      const goesOn = admission.refused(why, exchange, rest)
      sendProblem(response, problem, !goesOn, exchange.rateLimit)
      if (live) return
      deps.metrics.observe(route, problem.status, clock.monotonic() - from)
      if (span) deps.spans.end(span, problem.status, why)
    } finally {
      if (reading) share?.give(reading.reserved)
    }
  }
}

const none: readonly string[] = []

const mayBeEmpty = (route: Route): boolean => route.bodyOptional === true || route.accepts?.[0] === '*/*'

function bodyLimitsOf(limits: EdgeLimits): (route: Route) => BodyLimits {
  const common: BodyLimits = { maxBytes: limits.maxBodyBytes, maxCompressedBytes: limits.maxCompressedBytes }
  return ({ maxBodyBytes }) => (maxBodyBytes === undefined ? common : { ...common, maxBytes: maxBodyBytes })
}

/** Only our own paths are echoed: a target in absolute form is not one. */
const pathOf = (url = '/'): string => {
  if (url[0] !== '/') return '/'
  const end = url.indexOf('?')
  return (end < 0 ? url : url.slice(0, end)).slice(0, 1024)
}

/** Failures of ours go to the log with their stack; what a dependency or a client did is in the metrics. */
function report(logger: Logger, error: unknown, status: number, about: Readonly<Record<string, unknown>>): void {
  const fields = { ...about, status, code: codeOf(error) }
  if (status === 500) logger.error('a request failed', { ...fields, error: stackOf(error) })
  else if (status > 500) logger.debug('a request was not served', { ...fields, cause: rootOf(error) })
}

/** What lies at the bottom of it, such as ECONNRESET: never a message, which can quote values. */
function rootOf(error: unknown): string | undefined {
  let root: Error | undefined
  for (let at = error, depth = 0; at instanceof Error && at.cause instanceof Error && depth < 5; depth++) {
    root = at.cause
    at = root
  }
  return root && String('code' in root ? root.code : root.name)
}
