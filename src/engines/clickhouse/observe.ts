import {
  type Call,
  type Clock,
  errorType,
  type Metrics,
  type Span,
  type SpanOptions,
  type Tracer,
  within,
} from '@splitstream/kernel'
import { operationSeconds } from '../operations.ts'

export interface ObserveDeps {
  readonly clock: Clock
  readonly metrics: Metrics
  readonly tracer: Tracer
}

type Labels = Readonly<Record<string, string>>

const system = { 'db.system.name': 'clickhouse' } as const

/**
 * What is told of statements: their verb, how long they took and how they ended, and a span for those that belong to a sampled
 * trace. Never their text: it holds keys and literals.
 */
export class Statements {
  readonly #deps: ObserveDeps
  readonly #seconds: ReturnType<Metrics['histogram']>
  readonly #labels = new Map<string, Labels>()

  constructor(deps: ObserveDeps) {
    this.#deps = deps
    this.#seconds = operationSeconds(deps.metrics)
  }

  /** @param table of an insert */
  async run<T>(sql: string, table: string | undefined, call: Call, work: (call: Call) => Promise<T>): Promise<T> {
    const { clock } = this.#deps
    const verb = verbOf(sql)
    const span = this.#span(verb, table, call)
    const from = clock.monotonic()
    let failed = ''
    try {
      const value = await work(within(call, span))
      span?.end()
      return value
    } catch (error) {
      failed = errorType(error)
      span?.end(error)
      throw error
    } finally {
      this.#seconds.observe((clock.monotonic() - from) / 1_000, this.#labelsOf(verb, failed))
    }
  }

  #span(verb: string, table: string | undefined, call: Call): Span | undefined {
    const attributes = { ...system, 'db.operation.name': verb, ...(table && { 'db.collection.name': table }) }
    const options: SpanOptions = { kind: 'client', attributes }
    return this.#deps.tracer.span(table ? `${verb} ${table}` : verb, call.traceparent, options)
  }

  #labelsOf(verb: string, failed: string): Labels {
    const key = `${verb} ${failed}`
    let labels = this.#labels.get(key)
    if (!labels) {
      labels = { ...system, 'db.operation.name': verb, 'error.type': failed }
      this.#labels.set(key, labels)
    }
    return labels
  }
}

/** The first word. */
const verbOf = (sql: string): string => /^\s*([A-Za-z]{1,16})\b/.exec(sql)?.[1]?.toUpperCase() ?? 'OTHER'
