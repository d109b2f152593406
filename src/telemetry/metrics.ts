import { AppError, type Metrics } from '@splitstream/kernel'
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { CounterMetric, HistogramMetric } from './series.ts'

/**
 * The kernel's metrics, with those of the process (event-loop delay, memory, garbage collection, file descriptors) from
 * prom-client. `text` is the Prometheus text format, version 0.0.4. The same counter or histogram may be asked for twice.
 */
export function createMetrics(): Metrics & { text(): Promise<string> } {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const counters = new Map<string, CounterMetric>()
  const histograms = new Map<string, HistogramMetric>()
  return {
    counter: (name, help, labels = []) => {
      if (histograms.has(name)) throw new AppError('INTERNAL', `${name} is a histogram already`)
      return getOrMake(counters, name, () => new CounterMetric(name, help, labels))
    },
    gauge: (name, help, read) => {
      new Gauge({
        name,
        help,
        registers: [registry],
        collect() {
          this.set(read())
        },
      })
    },
    histogram: (name, help, buckets, labels = []) => {
      if (counters.has(name)) throw new AppError('INTERNAL', `${name} is a counter already`)
      return getOrMake(histograms, name, () => new HistogramMetric(name, help, buckets, labels))
    },
    text: async () => {
      let text = await registry.metrics()
      for (const metric of counters.values()) text += `\n${metric.text()}`
      for (const metric of histograms.values()) text += `\n${metric.text()}`
      return text
    },
  }
}

function getOrMake<T>(all: Map<string, T>, name: string, make: () => T): T {
  let found = all.get(name)
  if (!found) {
    found = make()
    all.set(name, found)
  }
  return found
}
