import type { Health, Route } from '@splitstream/kernel'

export interface OpsDeps {
  /** By part: modules, log, engines. */
  health(): Readonly<Record<string, Health>>
  /** Started, and not stopping. */
  started(): boolean
  metricsText(): Promise<string>
}

/** Health for orchestrators (no key: they name parts and reasons, never data) and metrics in Prometheus text form. */
export function opsRoutes(deps: OpsDeps): Route[] {
  const status = () => {
    const parts = deps.health()
    const down = Object.values(parts).some((part) => part.state === 'down')
    return { ready: deps.started() && !down, parts }
  }
  return [
    {
      method: 'GET',
      path: '/health/live',
      scope: 'public',
      summary: 'The process runs and answers',
      handle: async () => ({ status: 200, json: { status: 'live' } }),
    },
    {
      method: 'GET',
      path: '/health/ready',
      scope: 'public',
      summary: 'The process can do its work; 503 names what it waits for',
      handle: async () => {
        const { ready, parts } = status()
        return {
          status: ready ? 200 : 503,
          json: { status: ready ? 'ready' : 'not ready', parts },
          ...(!ready && { headers: { 'retry-after': '1' } }),
        }
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      scope: 'public',
      summary: 'Metrics in the Prometheus text format',
      produces: ['text/plain', 'application/openmetrics-text'],
      handle: async () => ({
        status: 200,
        headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
        bytes: Buffer.from(await deps.metricsText()),
      }),
    },
  ]
}
