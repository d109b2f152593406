import { type Clock, type Logger, messageOf, noTracer, type Part, type Tracer } from '@splitstream/kernel'
import type { ProcessHealth } from '../health/process-health.ts'
import { createMetrics, type MeasuredMetrics } from './metrics.ts'
import type { OtlpOptions } from './otlp/otlp.ts'

export interface Telemetry extends Part {
  readonly metrics: MeasuredMetrics
  readonly tracer: Tracer
  /** Shows the collector, if there is one, among what the process depends on. */
  watchedBy(health: ProcessHealth): void
}

/** How long a stop waits for what is still to be sent, ms. */
const lastSendMs = 3_000

/**
 * Metrics, and with `otlp` traces: only then OpenTelemetry's SDK is loaded. To be started first and stopped last, as it sends what
 * the other parts have said until their end.
 */
export async function createTelemetry(otlp: OtlpOptions | undefined, clock: Clock, logger: Logger): Promise<Telemetry> {
  const metrics = createMetrics()
  const sender = otlp && (await import('./otlp/otlp.ts')).startOtlp(otlp, metrics, logger)
  return {
    name: 'telemetry',
    metrics,
    tracer: sender?.tracer ?? noTracer,
    watchedBy: (health) => sender?.delivery.watchedBy(health),
    start: async () => undefined,
    stop: async () => {
      metrics.stop()
      const late = new AbortController()
      const sent = sender?.stop().catch((error: unknown) => {
        logger.debug('the last of the telemetry is lost', { error: messageOf(error) })
      })
      await Promise.race([sent, clock.sleep(lastSendMs, late.signal).catch(() => undefined)])
      late.abort()
    },
  }
}
