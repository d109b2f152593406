import { type Health, type Route, routesOf } from '@splitstream/kernel'
import { opsOperations } from './ops-operations.ts'

export interface OpsDeps {
  /** By part: the modules and the log. */
  health(): Readonly<Record<string, Health>>
  /** What the process depends on, as its calls go. */
  dependencies?(): Readonly<Record<string, Health>>
  /** Started, and not stopping. */
  started(): boolean
  metricsText(): Promise<string>
}

/**
 * Health for orchestrators (no key: it names parts and reasons, never data) and metrics in the Prometheus text form (no
 * key either, as exporters do: no metric has a tenant, a key or a path of a client as a label).
 */
export function opsRoutes(deps: OpsDeps): Route[] {
  const look = () => {
    const parts = deps.health()
    const states = new Set(Object.values(parts).map((part) => part.state))
    const state = states.has('down') ? 'down' : states.has('degraded') ? 'degraded' : 'ok'
    return { state, ready: deps.started() && state !== 'down', parts }
  }
  return routesOf(opsOperations, {
    getLiveness: async () => ({ status: 200, headers: fresh, json: { status: 'live' } }),
    getReadiness: async () => {
      const { ready, parts } = look()
      const json = { status: ready ? 'ready' : 'not ready', started: deps.started(), parts }
      return ready
        ? { status: 200, headers: fresh, json }
        : { status: 503, headers: { ...fresh, 'retry-after': '1' }, json }
    },
    getHealth: async () => {
      const { state, parts } = look()
      const dependencies = deps.dependencies?.()
      // A dependency that is down degrades this process: what it can do without, it does.
      const unwell = Object.values(dependencies ?? {}).some((one) => one.state !== 'ok')
      const status = state === 'ok' && unwell ? 'degraded' : state
      return { status: 200, headers: fresh, json: { status, parts, ...(dependencies && { dependencies }) } }
    },
    getMetrics: async () => ({
      status: 200,
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
      bytes: Buffer.from(await deps.metricsText()),
    }),
  })
}

const fresh = { 'cache-control': 'no-store' }
