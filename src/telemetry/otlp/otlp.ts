import { context, diag, logs, metrics as meters, trace } from '@opentelemetry/api'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { AlwaysOnSampler, BatchSpanProcessor } from '@opentelemetry/sdk-trace'
import type { Logger, Tracer } from '@splitstream/kernel'
import type { MeasuredMetrics } from '../metrics.ts'
import { Delivery } from './delivery.ts'
import { metricProducer } from './metric-producer.ts'
import { SdkTracer } from './sdk-tracer.ts'

export interface OtlpOptions {
  /** Of the collector; `/v1/traces` and `/v1/metrics` are added. */
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  /** Who speaks: `service.name` and the like. */
  readonly resource: Readonly<Record<string, string>>
  /** Part of the requests without a sampled parent that are traced, 0 … 1. */
  readonly ratio: number
  /** Between two deliveries of metrics, ms. */
  readonly metricsEveryMs: number
}

export interface OtlpSender {
  readonly tracer: Tracer
  readonly delivery: Delivery
  /** Sends what is left. @throws Error when the collector does not take it */
  stop(): Promise<void>
}

/** For one delivery, its repetitions included, ms. */
const sendMs = 5_000

/**
 * Sends traces and metrics to a collector: OTLP over HTTP, in protobuf. What it does not take is kept up to a limit (2,048 spans)
 * and then dropped: a collector that is away costs no memory, and one warning.
 */
export function startOtlp(o: OtlpOptions, metrics: MeasuredMetrics, logger: Logger): OtlpSender {
  const delivery = new Delivery(new URL(o.endpoint).host, logger)
  const resource = resourceFromAttributes(o.resource)
  const exporterOf = (signal: string) => ({
    url: `${o.endpoint.replace(/\/+$/, '')}/v1/${signal}`,
    headers: { ...o.headers },
    timeoutMillis: sendMs,
  })
  const spans = new BatchSpanProcessor({
    exporter: delivery.watched(new OTLPTraceExporter(exporterOf('traces'))),
    exportTimeoutMillis: sendMs,
    // Few at once: they are written into one body without a pause.
    maxExportBatchSize: 256,
  })
  const reader = new PeriodicExportingMetricReader({
    exporter: delivery.watched(new OTLPMetricExporter(exporterOf('metrics'))),
    exportIntervalMillis: o.metricsEveryMs,
    exportTimeoutMillis: Math.min(sendMs, o.metricsEveryMs),
    metricProducers: [metricProducer(metrics, resource)],
  })
  // All of it is given: what is not, the SDK takes from variables of its own, or makes by default.
  const sdk = new NodeSDK({
    resource,
    autoDetectResources: false,
    sampler: new AlwaysOnSampler(),
    spanProcessors: [spans],
    metricReaders: [reader],
    logRecordProcessors: [],
    instrumentations: [],
    textMapPropagator: null,
  })
  // What the SDK says by itself is said by `delivery`, once.
  diag.disable()
  sdk.start()
  const tracer = trace.getTracer('splitstream')
  // Nobody asks for them globally; left there, they would be those of the next start in this process.
  for (const global of [context, trace, meters, logs]) global.disable()
  return { tracer: new SdkTracer(tracer, o.ratio), delivery, stop: () => sdk.shutdown() }
}
