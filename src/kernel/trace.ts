import type { Call } from './call.ts'

/**
 * Traces, for modules and transports; implemented in src/telemetry. What a span is a part of is said explicitly, by the W3C
 * Trace Context (`traceparent`) that travels with a Call, a log record or a saga: nothing is ambient. Only what belongs to a
 * sampled trace has spans; for everything else there is no span object at all, so whoever makes spans writes `span?.`.
 */
export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

/** Never a payload, a key or a literal of a query: names of ours, numbers, ids and places. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

export interface Span {
  /** For what happens within this span, here or elsewhere. */
  readonly traceparent: string
  set(name: string, value: string | number | boolean): this
  /** Once. With an error, or a word for one, it has failed; the error's code is written down, never its text. */
  end(failure?: unknown): void
}

export interface SpanOptions {
  readonly kind?: SpanKind
  readonly attributes?: SpanAttributes | undefined
  /** Other traces that it stands for as well; 32 at most are kept. */
  readonly links?: readonly string[]
  /** It begins a trace of its own, with a link to its parent: for what comes long after it. */
  readonly apart?: boolean
}

export interface Tracer {
  /**
   * What came from outside: a part of `parent` if that is sampled; without a parent a trace of its own, now and then. Beyond so
   * many a second there is none: what follows from a request without a span is then not to be told either (`unsampled`).
   * @param from when it began, if that was earlier: monotonic, ms
   */
  root(name: string, parent: string | undefined, options?: SpanOptions, from?: number): Span | undefined
  /** A part of `parent`; undefined unless that is sampled. */
  span(name: string, parent: string | undefined, options?: SpanOptions, from?: number): Span | undefined
}

export const noTracer: Tracer = { root: () => undefined, span: () => undefined }

/** Whether the trace is recorded: bit 0 of the flags, which end the text. */
export const isSampled = (traceparent: string | undefined): traceparent is string =>
  traceparent !== undefined && (Number.parseInt(traceparent.slice(53), 16) & 1) === 1

/** The same context, not sampled. */
export const unsampled = (traceparent: string): string => `${traceparent.slice(0, 53)}00`

/** A valid one of version 00: ids of zeros only are none (W3C Trace Context, 3.2.2). */
export const isTraceparent = (text: string): boolean => traceparent.test(text)

const traceparent = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** For log lines: the id of the trace that a call belongs to. */
export const traceIdOf = (traceparent: string | undefined): string | undefined => traceparent?.slice(3, 35)

/** Runs `work` within the span, which ends with it. Without a span it is a plain call. */
export async function inSpan<T>(span: Span | undefined, work: () => Promise<T>): Promise<T> {
  if (!span) return await work()
  try {
    const value = await work()
    span.end()
    return value
  } catch (error) {
    span.end(error)
    throw error
  }
}

/** The call as a part of the span; the same one without a span. */
export const within = (call: Call, span: Span | undefined): Call => (span ? new CallInSpan(call, span) : call)

class CallInSpan implements Call {
  readonly tenant: string
  readonly principal: string
  readonly deadline: number
  readonly traceparent: string
  readonly idempotencyKey: string | undefined
  readonly #call: Call

  constructor(call: Call, { traceparent }: Span) {
    this.tenant = call.tenant
    this.principal = call.principal
    this.deadline = call.deadline
    this.traceparent = traceparent
    this.idempotencyKey = call.idempotencyKey
    this.#call = call
  }

  /** Made by the call only when somebody asks for it. */
  get signal(): AbortSignal {
    return this.#call.signal
  }
}
