import {
  type Call,
  type Clock,
  durationBuckets,
  errorType,
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
  readonly #deps: PortCallDeps
  readonly #seconds: Seconds
  readonly #options: SpanOptions
  /** By how a call ended. */
  readonly #labels = new Map<string, Labels>()
  readonly #common: Labels

  constructor(name: string, transport: Transport, deps: PortCallDeps, seconds: Seconds) {
    this.#name = name
    this.#deps = deps
    this.#seconds = seconds
    const attributes = { 'rpc.system.name': 'splitstream', 'rpc.method': name }
    this.#options = { kind: transport === 'http' ? 'client' : 'internal', attributes }
    this.#common = { ...attributes, 'splitstream.transport': transport }
  }

  /** @param work is given the call as a part of its span, and the span if there is one */
  async run<T>(call: Call, work: (call: Call, span: Span | undefined) => Promise<T>): Promise<T> {
    const { clock, tracer } = this.#deps
    const span = tracer.span(this.#name, call.traceparent, this.#options)
    const from = clock.monotonic()
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
    let labels = this.#labels.get(error)
    if (!labels) {
      labels = { ...this.#common, 'error.type': error }
      this.#labels.set(error, labels)
    }
    this.#seconds.observe((this.#deps.clock.monotonic() - from) / 1_000, labels)
  }
}
