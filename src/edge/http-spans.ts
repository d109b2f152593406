import {
  codeOf,
  isSampled,
  noTracer,
  type Route,
  type Span,
  type SpanOptions,
  type Tracer,
  unsampled,
} from '@splitstream/kernel'
import type { Principal } from './keys/principal.ts'

interface Described {
  readonly name: string
  readonly options: SpanOptions
}

/**
 * Spans of requests whose caller is known. They name the route and never its path: ids and names in paths are the client's.
 * Health and metrics, which are asked for all the time and by anybody, have none.
 */
export class HttpSpans {
  readonly #tracer: Tracer
  /** Made once for each route: a request that is not sampled makes nothing. */
  readonly #described = new Map<Route, Described>()

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  /** @param from when the head of the request was there: monotonic, ms */
  begin(route: Route, principal: Principal, parent: string | undefined, from: number): Span | undefined {
    if (route.scope === 'public') return undefined
    let described = this.#described.get(route)
    if (!described) {
      described = describe(route)
      this.#described.set(route, described)
    }
    const span = this.#tracer.root(described.name, parent, described.options, from)
    span?.set('splitstream.tenant', principal.tenant)
    return span
  }

  /** The trace context for what the request leads to. Where nothing is traced it goes on as it came. */
  contextOf(span: Span | undefined, parent: string | undefined): string | undefined {
    if (span) return span.traceparent
    return this.#tracer !== noTracer && isSampled(parent) ? unsampled(parent) : parent
  }

  /** @param error what the problem that was answered is about. A request that was refused has not failed. */
  end(span: Span, status: number, error?: unknown): void {
    span.set('http.response.status_code', status)
    if (error !== undefined) span.set('splitstream.problem', codeOf(error))
    span.end(status >= 500 ? error : undefined)
  }
}

function describe({ method, path }: Route): Described {
  const attributes = { 'http.request.method': method, 'http.route': path, 'url.scheme': 'http' }
  return { name: `${method} ${path}`, options: { kind: 'server', attributes } }
}
