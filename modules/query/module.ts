import { type Clock, type Logger, type Metrics, type Module, traceIdOf } from '@splitstream/kernel'
import type { StorageRead } from '@splitstream/storage/contract'
import { queryRoutes } from './adapters/http-routes.ts'
import { StaleAnswers, type StaleLimits } from './adapters/stale-answers.ts'
import { StreamPlaces } from './app/stream-places.ts'

export { queryOperations as operations } from './adapters/operations.ts'

export interface QueryDeps {
  readonly storage: StorageRead
  readonly clock: Clock
  readonly metrics: Metrics
  readonly logger: Logger
  /** Signs cursors; every process that serves queries needs the same. At least 16 bytes. */
  readonly cursorSecret: Uint8Array
  /** Of the log that positions are in. */
  readonly partitions: number
  readonly stale: StaleLimits
  /** Live streams that may be open at once. */
  readonly maxStreams: number
}

const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const slowSeconds = 2

/** The query module: REST over storage.read. It owns no data. */
export function createQueryModule(deps: QueryDeps): Module<object> {
  const { storage, clock, metrics, logger, cursorSecret, partitions, maxStreams } = deps
  if (cursorSecret.length < 16) throw new RangeError('cursorSecret needs at least 16 bytes')
  const seconds = metrics.histogram('splitstream.query', 'Time to answer a query', buckets, ['route', 'outcome'])
  const places = new StreamPlaces(maxStreams)
  metrics.gauge('splitstream.query.streams', 'Live streams that are open', () => places.taken, '{stream}')
  const sent = metrics.counter('splitstream.query.streamed', 'Events handed over to live streams', [], '{event}')
  return {
    ports: {},
    routes: queryRoutes({
      storage,
      clock,
      places,
      sent: (events) => sent.add(events),
      cursorSecret,
      partitions,
      answers: new StaleAnswers(deps.stale, { metrics, now: () => clock.monotonic() }),
      now: () => clock.monotonic(),
      observe: (route, took, outcome, { tenant, traceparent }) => {
        seconds.observe(took, { route, outcome })
        if (took < slowSeconds) return
        const about = { route, outcome, tenant, traceId: traceIdOf(traceparent) }
        logger.info('a query was slow', { ...about, ms: Math.round(took * 1000) })
      },
    }),
    start: async () => undefined,
    stop: async () => undefined,
    health: () => ({ state: 'ok' }),
  }
}
