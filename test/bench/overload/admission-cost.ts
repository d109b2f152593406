import type { IncomingMessage, ServerResponse } from 'node:http'
import { noMetrics, type Route, systemClock } from '@splitstream/kernel'
import { Admission } from '../../../src/edge/admission/admission.ts'
import { LoadShedder } from '../../../src/edge/admission/load-shedder.ts'
import { Rests } from '../../../src/edge/admission/rests.ts'
import { Exchange } from '../../../src/edge/exchange.ts'
import type { Quota } from '../../../src/edge/quota/quota.ts'
import { Quotas } from '../../../src/edge/quota/quotas.ts'
import { Watch } from '../../../src/edge/watch.ts'
import { median } from '../stats.ts'

/** Of one request: what admission adds to it, µs. */
export interface AdmissionCost {
  readonly withoutQuotas: number
  /** Requests and bytes, of the key and of the tenant: four of them, counted in memory. */
  readonly withQuotas: number
}

const calls = 200_000
const rounds = 15
const keys = 100

/** Admits requests of a hundred keys, one after another, as the edge does. Medians of the rounds. */
export function measureAdmission(): AdmissionCost {
  const plenty = { requestsPerSecond: 1e9, bytesPerSecond: 1e12 }
  const [off, on] = [admitted({}), admitted(plenty)]
  const pairs = Array.from({ length: rounds }, () => [off(), on()] as const)
  return { withoutQuotas: median(pairs.map(([a]) => a)), withQuotas: median(pairs.map(([, b]) => b)) }
}

function admitted(quota: Quota): () => number {
  const common = { clock: systemClock, metrics: noMetrics }
  const quotas = new Quotas({ ...common, key: quota, tenant: quota, onFailure: 'local' })
  const shedder = new LoadShedder({ ...common, delayMs: 50 })
  const admission = new Admission({ shedder, quotas, rests: new Rests() })
  const request = { headers: { 'content-length': '200' } } as unknown as IncomingMessage
  const exchange = new Exchange(request, {} as ServerResponse, 'id', new Watch(systemClock))
  const route = { scope: 'ingest' } as Route
  const principals = Array.from({ length: keys }, (_, i) => ({
    ...{ id: `key${i}`, tenant: `tenant${i % 10}`, scopes: new Set<string>(), operator: false },
  }))
  let now = systemClock.monotonic()
  return () => {
    const from = performance.now()
    for (let i = 0; i < calls; i++) {
      now += 0.05
      admission.enter(now)
      admission.admit(route, principals[i % keys]!, exchange, now)
      admission.received(principals[i % keys]!, exchange, 200, now)
    }
    return ((performance.now() - from) * 1_000) / calls
  }
}
