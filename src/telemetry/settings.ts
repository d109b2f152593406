import { randomUUID } from 'node:crypto'
import type { Config } from '../config.ts'
import type { OtlpOptions } from './otlp/otlp.ts'

/** Where telemetry goes and who speaks; undefined when there is no collector. */
export function otlpOptions(config: Config, version: string): OtlpOptions | undefined {
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT
  if (endpoint === undefined || config.OTEL_SDK_DISABLED) return undefined
  return {
    endpoint,
    headers: config.OTEL_EXPORTER_OTLP_HEADERS,
    resource: {
      'service.instance.id': randomUUID(),
      'service.version': version,
      'splitstream.modules': config.MODULES.join(','),
      ...config.OTEL_RESOURCE_ATTRIBUTES,
      'service.name': config.OTEL_SERVICE_NAME,
    },
    ratio: config.OTEL_TRACES_SAMPLER_ARG,
    metricsEveryMs: config.OTEL_METRIC_EXPORT_INTERVAL,
  }
}
