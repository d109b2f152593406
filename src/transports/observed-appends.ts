import {
  type Call,
  type Clock,
  durationBuckets,
  errorType,
  inSpan,
  type LogAppend,
  type LogRange,
  type LogWriter,
  type Metrics,
  type SpanOptions,
  type Tracer,
} from '@splitstream/kernel'

export interface AppendDeps {
  /** What the log is: `kafka`, or `splitstream` for the local one. */
  readonly system: string
  readonly clock: Clock
  readonly metrics: Metrics
  readonly tracer: Tracer
}

/**
 * A log whose appends are timed, until they are durable. One that belongs to a sampled trace has a span, which its records carry
 * to whoever consumes them.
 */
export function observeAppends(log: LogWriter, { system, clock, metrics, tracer }: AppendDeps): LogWriter {
  const place = {
    'messaging.system.name': system,
    'messaging.operation.name': 'send',
    'messaging.destination.name': 'events',
  }
  const options: SpanOptions = { kind: 'producer', attributes: { ...place, 'messaging.operation.type': 'send' } }
  const names = [...Object.keys(place), 'error.type']
  const help = 'Until an append is durable'
  const seconds = metrics.histogram('messaging.client.operation.duration', help, durationBuckets, names)
  const labels = new Map<string, Readonly<Record<string, string>>>()
  const observe = (error: string, from: number): void => {
    let found = labels.get(error)
    if (!found) {
      found = { ...place, 'error.type': error }
      labels.set(error, found)
    }
    seconds.observe((clock.monotonic() - from) / 1_000, found)
  }

  const timed = async (entries: readonly LogAppend[], call: Call): Promise<LogRange[]> => {
    const from = clock.monotonic()
    try {
      const ranges = await log.append(entries, call)
      observe('', from)
      return ranges
    } catch (error) {
      observe(errorType(error), from)
      throw error
    }
  }

  const append = (entries: readonly LogAppend[], call: Call): Promise<LogRange[]> => {
    const span = tracer.span('send events', call.traceparent, options)
    if (!span) return timed(entries, call)
    const { traceparent } = span
    span.set(
      'messaging.batch.message_count',
      entries.reduce((sum, { count }) => sum + count, 0),
    )
    return inSpan(span, () =>
      timed(
        entries.map((entry) => ({ ...entry, traceparent })),
        call,
      ),
    )
  }
  return { partitions: log.partitions, append }
}
