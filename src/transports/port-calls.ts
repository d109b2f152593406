import {
  type AppError,
  type Call,
  type Clock,
  durationBuckets,
  errorType,
  isSampled,
  type Metrics,
  type Span,
  type SpanOptions,
  type Tracer,
  within,
} from '@splitstream/kernel'

/** How a port is reached, where that is told. */
export type Transport = 'in_process' | 'http'

type Seconds = ReturnType<Metrics['histogram']>
type Labels = Readonly<Record<string, string>>

export interface PortCallDeps {
  readonly clock: Clock
  readonly metrics: Metrics
  readonly tracer: Tracer
}

const names = ['rpc.system.name', 'rpc.method', 'splitstream.transport', 'error.type']

/**
 * What is told of calls of ports, by whoever calls: how long each took and how it ended, and a span for those that belong to a
 * sampled trace. The same whatever the port is reached over, so that a trace looks alike wherever the modules run.
 */
export class PortCalls {
  readonly #deps: PortCallDeps
  readonly #seconds: Seconds

  constructor(deps: PortCallDeps) {
    this.#deps = deps
    this.#seconds = deps.metrics.histogram('rpc.client.call.duration', 'Calls of ports', durationBuckets, names)
  }

  of(port: string, method: string, transport: Transport): ObservedMethod {
    return new ObservedMethod(`${port}/${method}`, transport, this.#deps, this.#seconds)
  }
}

export class ObservedMethod {
  readonly #name: string
  readonly #clock: Clock
  readonly #tracer: Tracer
  readonly #seconds: Seconds
  readonly #options: SpanOptions
  /** By how a call ended. */
  readonly #labels = new Map<string, Labels>()
  readonly #common: Labels
  readonly #well: Labels

  constructor(name: string, transport: Transport, { clock, tracer }: PortCallDeps, seconds: Seconds) {
    this.#name = name
    this.#clock = clock
    this.#tracer = tracer
    this.#seconds = seconds
    const attributes = { 'rpc.system.name': 'splitstream', 'rpc.method': name }
    this.#options = { kind: transport === 'http' ? 'client' : 'internal', attributes }
    this.#common = { ...attributes, 'splitstream.transport': transport }
    this.#well = this.#labelsOf('')
  }

  /**
   * A call of a method in this process, which began at `from`. Such calls are many and short, so this does without what `run`
   * needs: the caller has the method's own promise, and there is no span unless the trace is sampled.
   */
  direct<I, T>(method: (input: I, call: Call) => Promise<T>, input: I, call: Call, from: number): Promise<T> {
    if (isSampled(call.traceparent)) return this.run(call, (within) => method(input, within))
    const answer = method(input, call)
    answer.then(
      () => this.#seconds.observe((this.#clock.monotonic() - from) / 1_000, this.#well),
      (error: unknown) => this.#observe(errorType(error), from),
    )
    return answer
  }

  /** A call that is not carried out. */
  refused(error: AppError): Promise<never> {
    this.#seconds.observe(0, this.#labelsOf(error.code))
    return Promise.reject(error)
  }

  /** @param work is given the call as a part of its span, and the span if there is one */
  async run<T>(call: Call, work: (call: Call, span: Span | undefined) => Promise<T>): Promise<T> {
    const span = this.#tracer.span(this.#name, call.traceparent, this.#options)
    const from = this.#clock.monotonic()
    try {
      const value = await work(within(call, span), span)
      this.#observe('', from)
      span?.end()
      return value
    } catch (error) {
      this.#observe(errorType(error), from)
      span?.end(error)
      throw error
    }
  }

  #observe(error: string, from: number): void {
    this.#seconds.observe((this.#clock.monotonic() - from) / 1_000, this.#labelsOf(error))
  }

  /** The same object for the same end: that is how the histogram finds its place. */
  #labelsOf(error: string): Labels {
    let labels = this.#labels.get(error)
    if (!labels) {
      labels = { ...this.#common, 'error.type': error }
      this.#labels.set(error, labels)
    }
    return labels
  }
}
