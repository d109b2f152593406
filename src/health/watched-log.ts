import { type Absence, codeOf, type EventLog, type Health } from '@splitstream/kernel'
import type { Lags } from './dependency.ts'
import { seconds } from './dependency-state.ts'
import { LaneWatch } from './lane-watch.ts'
import type { ProcessHealth } from './process-health.ts'
import { verdictOf } from './verdicts.ts'

/** A p99 above it is bad; so long no append takes; and for so long one waits before that is told, ms. */
const [slowMs, hungMs, waitsMs] = [1_000, 10_000, 4_000]
/** For how long it is told that appends were turned away, ms: whoever was comes again within 5 s. */
const refusedMs = 6_000
/**
 * Out of its group for so long a consumer is degraded, ms. A group waits 12 s at most for its slowest member: that is over before
 * readiness takes it for a wedge.
 */
const absentMs = 5_500
/** Between two questions to Kafka, which are several to its brokers, ms. */
const askEveryMs = 2_500

export interface LogWatchOptions {
  /** `log`, in this process, or `kafka`. */
  readonly name: 'log' | 'kafka'
  readonly lags: () => Lags
  /** No room is left to append, and appending is all that this process is for: others should get the requests. */
  readonly full: () => boolean
  /** What each part cannot work without; a consumer group is named as its part. */
  readonly needs: (part: string) => readonly string[] | undefined
}

/** An event log that is watched: its appends as calls of a dependency, its lanes as consumers that have to move on. */
export class WatchedLog implements EventLog {
  readonly partitions: number
  readonly end: EventLog['end']
  readonly append: EventLog['append']
  readonly consume: EventLog['consume']
  readonly isSkipped: NonNullable<EventLog['isSkipped']>

  constructor(log: EventLog, health: ProcessHealth, o: LogWatchOptions) {
    this.partitions = log.partitions
    this.end = (partition) => log.end(partition)
    this.isSkipped = (partition, next) => log.isSkipped?.(partition, next) ?? false
    // Who only consumes has to know, too, that there is nothing to be had.
    const probe = o.name === 'kafka' ? health.probe('Kafka', async () => await o.lags(), askEveryMs) : undefined
    if (probe) health.add({ part: 'log', read: (now) => degradedBy(probe.trouble(now)) })
    const appends = health.dependency(`${o.name} append`, { slowMs, hungMs, lags: o.lags, ...(probe && { probe }) })
    let refusedAt = Number.NEGATIVE_INFINITY
    const judge = (error: unknown, ms: number) => {
      if (codeOf(error) === 'OVERLOADED') refusedAt = health.now()
      return verdictOf(error, ms, slowMs)
    }
    this.append = (entries, call) => appends.run(() => log.append(entries, call), judge)
    health.add({ part: 'log', read: (now) => waiting(appends.silentMs(now)), needs: [] })
    // Who waits for that is busy, and not wedged.
    health.add({ part: 'log', read: (now) => (now - refusedAt < refusedMs ? busy : { state: 'ok' }) })
    health.add({ part: 'log', read: () => (o.full() ? full : { state: 'ok' }), needs: [] })
    const lanes = new LaneWatch({ now: () => health.now(), end: this.end, cause: (now) => health.cause(now) })
    this.consume = async (group, handler) => {
      health.add({ part: group, read: (now) => lanes.health(group, now), needs: o.needs(group) })
      const consumption = await log.consume(group, lanes.watch(group, handler))
      health.add({ part: group, read: (now) => membership(consumption.absence, now), needs: ['log'] })
      return consumption
    }
  }
}

const busy: Health = { state: 'degraded', reason: 'more is appended than it takes' }
const full: Health = { state: 'degraded', reason: 'there is no room for events' }

function membership(absence: Absence | undefined, now: number): Health {
  const ms = absence === undefined ? 0 : now - absence.since
  if (ms < absentMs) return { state: 'ok' }
  return { state: 'degraded', reason: `out of its consumer group for ${seconds(ms)}: ${absence?.why}` }
}

const waiting = (ms: number): Health =>
  ms < waitsMs
    ? { state: 'ok' }
    : { state: 'degraded', reason: `an append has waited for ${seconds(ms)} to become durable` }

const degradedBy = (reason: string | undefined): Health =>
  reason === undefined ? { state: 'ok' } : { state: 'degraded', reason }
