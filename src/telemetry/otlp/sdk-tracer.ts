import {
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Tracer as Sdk,
  type Span as SdkSpan,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import {
  errorType,
  isSampled,
  type Random,
  type Span,
  type SpanOptions,
  systemRandom,
  type Tracer,
} from '@splitstream/kernel'

const kinds = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const

/** Links of one span; a block of storage may stand for thousands of requests. */
const maxLinks = 32

/** Traces that are begun here, a second. Clients may ask for more; a trace costs as much as a request or two. */
const maxPerSecond = 500

/** The decision to sample is made here, so that a request that is not sampled costs no more than one random number. */
export class SdkTracer implements Tracer {
  readonly #sdk: Sdk
  readonly #ratio: number
  readonly #random: Random
  #second = 0
  #begun = 0

  constructor(sdk: Sdk, ratio: number, random: Random = systemRandom) {
    this.#random = random
    this.#sdk = sdk
    this.#ratio = ratio
  }

  root(name: string, parent: string | undefined, options?: SpanOptions, from?: number): Span | undefined {
    const wanted = parent === undefined ? this.#random.fraction() < this.#ratio : isSampled(parent)
    if (!wanted || !this.#mayBegin()) return undefined
    return parent === undefined
      ? this.#start(name, ROOT_CONTEXT, options, from)
      : this.span(name, parent, options, from)
  }

  span(name: string, parent: string | undefined, options?: SpanOptions, from?: number): Span | undefined {
    if (!isSampled(parent)) return undefined
    if (options?.apart) {
      const links = [parent, ...(options.links ?? [])]
      return this.#start(name, ROOT_CONTEXT, { ...options, links }, from)
    }
    return this.#start(name, trace.setSpanContext(ROOT_CONTEXT, contextOf(parent)), options, from)
  }

  #mayBegin(): boolean {
    const second = Math.floor(performance.now() / 1_000)
    if (second !== this.#second) {
      this.#second = second
      this.#begun = 0
    }
    return ++this.#begun <= maxPerSecond
  }

  #start(name: string, parent: Context, o: SpanOptions = {}, startTime = performance.now()): Span {
    const { kind = 'internal', attributes, links } = o
    const linked = links?.slice(0, maxLinks).map((link): Link => ({ context: contextOf(link) }))
    const options = {
      kind: kinds[kind],
      startTime,
      ...(attributes && { attributes }),
      ...(linked && { links: linked }),
    }
    return new RecordedSpan(this.#sdk.startSpan(name, options, parent))
  }
}

/** Times are those of the monotonic clock: with less, a span of the SDK is counted in whole milliseconds. */
class RecordedSpan implements Span {
  readonly traceparent: string
  readonly #span: SdkSpan

  constructor(span: SdkSpan) {
    this.#span = span
    const { traceId, spanId } = span.spanContext()
    this.traceparent = `00-${traceId}-${spanId}-01`
  }

  set(name: string, value: string | number | boolean): this {
    this.#span.setAttribute(name, value)
    return this
  }

  end(failure?: unknown): void {
    if (failure !== undefined) {
      this.#span.setAttribute('error.type', typeof failure === 'string' ? failure : errorType(failure))
      this.#span.setStatus({ code: SpanStatusCode.ERROR })
    }
    this.#span.end(performance.now())
  }
}

/** Of a valid one: whatever comes from outside was checked at the edge. */
const contextOf = (traceparent: string): SpanContext => ({
  traceId: traceparent.slice(3, 35),
  spanId: traceparent.slice(36, 52),
  traceFlags: Number.parseInt(traceparent.slice(53, 55), 16) & 1,
  isRemote: true,
})
