import type { Config } from '../../config.ts'
import { type Check, checkMs, type Finding, ok, warn } from './check.ts'
import { ms } from './units.ts'

/** Telemetry is lost without the collector, and nothing else: a warning at most. */
export function otlpChecks(config: Config): Check[] {
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT
  if (endpoint === undefined || config.OTEL_SDK_DISABLED) return []
  return [{ name: 'OTLP collector', run: () => checkCollector(endpoint, config.OTEL_EXPORTER_OTLP_HEADERS) }]
}

async function checkCollector(endpoint: string, headers: Readonly<Record<string, string>>): Promise<Finding> {
  const from = performance.now()
  // A request without spans: an empty message in protobuf.
  const answer = await fetch(`${endpoint.replace(/\/+$/, '')}/v1/traces`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/x-protobuf' },
    body: new Uint8Array(0),
    signal: AbortSignal.timeout(checkMs - 1_000),
  }).catch((error: unknown) => (error instanceof Error && error.cause instanceof Error ? error.cause : error))
  if (!(answer instanceof Response)) {
    const why = answer instanceof Error ? answer.message : String(answer)
    return warn(why, 'traces and metrics are lost: OTEL_EXPORTER_OTLP_ENDPOINT leads nowhere')
  }
  await answer.arrayBuffer()
  const found = `answers ${answer.status}, round trip ${ms(performance.now() - from)}`
  if (answer.ok) return ok(found)
  const refused = answer.status === 401 || answer.status === 403
  return warn(
    found,
    refused
      ? 'set OTEL_EXPORTER_OTLP_HEADERS to what the collector asks for'
      : 'it takes no traces over OTLP/HTTP at OTEL_EXPORTER_OTLP_ENDPOINT',
  )
}
