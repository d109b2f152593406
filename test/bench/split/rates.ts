import type { Fleet } from '../../support/fleet.ts'
import { prepareLoad } from '../fork.ts'
import type { Series } from '../payload.ts'
import { idleSeconds } from '../proc.ts'

export interface Rates {
  /** Events per second. */
  readonly acknowledged: number
  readonly stored: number
  /** Cores that had nothing to do meanwhile. */
  readonly idleCores: number
}

/** By how many requests are in flight. */
export interface KafkaRates {
  readonly few: Rates
  readonly many: Rates
}

export interface SplitPlan {
  readonly events: number
  readonly warmUpEvents: number
  readonly inFlight: number
}

/** Batches of 1,000 events as fast as the fleet takes them, sent to ingest and waited for at query. */
export async function measureRates(fleet: Fleet, plan: SplitPlan, series: Series): Promise<Rates> {
  const load = await prepareLoad({
    kind: 'batches',
    url: fleet.urlFor('ingest'),
    queryUrl: fleet.urlFor('query'),
    key: fleet.adminKey,
    series,
    ...plan,
  })
  const [from, idle] = [performance.now(), idleSeconds()]
  const { events, acknowledgedMs, storedMs } = await load.run()
  const idleCores = (1_000 * (idleSeconds() - idle)) / (performance.now() - from)
  return { acknowledged: (events * 1000) / acknowledgedMs, stored: (events * 1000) / storedMs, idleCores }
}
