import { AppError, type Metrics } from '@splitstream/kernel'
import { Counter } from './counter.ts'
import { Gauge } from './gauge.ts'
import { Histogram } from './histogram.ts'
import type { Instrument, Measured } from './measured.ts'
import { prometheusText } from './prometheus.ts'
import { watchRuntime } from './runtime.ts'

/** Both forms of the same values. */
export interface MeasuredMetrics extends Metrics {
  /** The Prometheus text format, version 0.0.4. */
  text(): Promise<string>
  /** All values of this moment. */
  measure(): Promise<readonly Measured[]>
  /** Another instrument. @throws AppError INTERNAL when there is one of that name */
  add(name: string, instrument: Instrument): void
  /** Ends the observers of the runtime. */
  stop(): void
}

/**
 * The kernel's metrics, with those of the process: event-loop delay, memory, garbage collection, file descriptors. The same
 * counter or histogram may be asked for twice.
 */
export function createMetrics(): MeasuredMetrics {
  const all = new Map<string, Instrument>()
  const add = (name: string, instrument: Instrument): void => {
    if (all.has(name)) throw new AppError('INTERNAL', `there is a metric ${name} already`)
    all.set(name, instrument)
  }
  const getOrAdd = <T extends Instrument>(name: string, kind: new (...args: never[]) => T, make: () => T): T => {
    const known = all.get(name)
    if (known instanceof kind) return known
    const made = make()
    add(name, made)
    return made
  }
  const measure = async (): Promise<readonly Measured[]> => {
    const measured = await Promise.allSettled([...all.values()].map(async (instrument) => instrument.measure()))
    return measured.flatMap((one) => (one.status === 'fulfilled' ? (one.value ?? []) : []))
  }
  const metrics: MeasuredMetrics = {
    counter: (name, help, labels = [], unit = '') =>
      getOrAdd(name, Counter, () => new Counter(name, help, labels, unit)),
    gauge: (name, help, read, unit = '') => add(name, new Gauge(name, help, read, unit)),
    histogram: (name, help, buckets, labels = [], unit = 's') =>
      getOrAdd(name, Histogram, () => new Histogram(name, help, buckets, labels, unit)),
    measure,
    text: async () => prometheusText(await measure()),
    add,
    stop: () => runtime.stop(),
  }
  const runtime = watchRuntime(metrics)
  return metrics
}
