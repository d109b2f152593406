import { type HrTime, ValueType } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import { AggregationTemporality, DataPointType, type MetricData, type MetricProducer } from '@opentelemetry/sdk-metrics'
import { type Clock, type Labels, systemClock } from '@splitstream/kernel'
import type { Measured } from '../measured.ts'
import type { MeasuredMetrics } from '../metrics.ts'

/** Hands our own instruments to the SDK: they are counted once, whoever looks. */
export function metricProducer(
  metrics: MeasuredMetrics,
  resource: Resource,
  clock: Clock = systemClock,
): MetricProducer {
  const from = timeOf(clock.now())
  return {
    collect: async () => {
      const measured = await metrics.measure()
      const to = timeOf(clock.now())
      const data = measured.flatMap((one) => (one.points.length === 0 ? [] : [metricData(one, from, to)]))
      return {
        resourceMetrics: { resource, scopeMetrics: [{ scope: { name: 'splitstream' }, metrics: data }] },
        errors: [],
      }
    },
  }
}

function timeOf(ms: number): HrTime {
  return [Math.floor(ms / 1_000), (ms % 1_000) * 1_000_000]
}

/** A label without a value is no attribute. */
const attributesOf = (labels: Labels): Labels =>
  Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ''))

function metricData(measured: Measured, startTime: HrTime, endTime: HrTime): MetricData {
  const { name, help, unit } = measured
  const common = {
    descriptor: { name, description: help, unit, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  }
  if (measured.kind === 'histogram') {
    const dataPoints = measured.points.map(({ labels, value: { counts, sum } }) => {
      const count = counts.reduce((total, n) => total + n, 0)
      const value = { buckets: { boundaries: [...measured.bounds], counts: [...counts] }, sum, count }
      return { startTime, endTime, attributes: attributesOf(labels), value }
    })
    return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints }
  }
  const dataPoints = measured.points.map(({ labels, value }) => ({
    startTime,
    endTime,
    attributes: attributesOf(labels),
    value,
  }))
  if (measured.kind === 'gauge') return { ...common, dataPointType: DataPointType.GAUGE, dataPoints }
  return { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
}
