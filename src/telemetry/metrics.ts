import type { Metrics } from '@splitstream/kernel'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** The kernel's metrics on prom-client, and their Prometheus text. */
export function createMetrics(): Metrics & { text(): Promise<string> } {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  return {
    counter: (name, help, labelNames = []) => {
      const counter = new Counter({ name, help, labelNames: [...labelNames], registers })
      return { add: (n, labels) => (labels ? counter.inc(labels, n) : counter.inc(n)) }
    },
    gauge: (name, help, read) => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read())
        },
      })
    },
    histogram: (name, help, buckets, labelNames = []) => {
      const histogram = new Histogram({ name, help, buckets: [...buckets], labelNames: [...labelNames], registers })
      return { observe: (value, labels) => (labels ? histogram.observe(labels, value) : histogram.observe(value)) }
    },
    text: () => registry.metrics(),
  }
}
