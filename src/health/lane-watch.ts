import type { Health, Lane } from '@splitstream/kernel'
import { seconds } from './dependency-state.ts'

/** Without a commit for so long, while there is something to commit, a lane does not move, ms. */
const stillMs = 4_000
/** A handler that ended is run again within 5 s: after this it is not, ms. */
const endedMs = 6_000

interface Watched {
  /** What the consumer is done with. */
  committed: number | undefined
  /** What the consumer was given. */
  handed: number
  /** Since when there is something to do, or the last commit. */
  dueSince: number | undefined
  startedAt: number
  endedAt: number | undefined
}

export interface LaneWatchOptions {
  /** Monotonic, ms. */
  now(): number
  /** Of a partition, where that is known. */
  end(partition: number): number | undefined
  /** What may be the cause when a lane stands still. */
  cause(now: number): string | undefined
}

/**
 * Whether consumers move on. Each lane is watched from the outside, by what it reads and commits, so it does not matter why one
 * stands still: an insert that never ends, a lock, a consumer that is gone, an error again and again.
 *
 *   idle → (there is something to take: due) → commits: idle or due anew
 *                                            → no commit for a while: still
 */
export class LaneWatch {
  readonly #o: LaneWatchOptions
  readonly #groups = new Map<string, Map<number, Watched>>()

  constructor(o: LaneWatchOptions) {
    this.#o = o
  }

  /** The same handler, watched. */
  watch(group: string, handler: (lane: Lane) => Promise<void>): (lane: Lane) => Promise<void> {
    const lanes = new Map<number, Watched>()
    this.#groups.set(group, lanes)
    return async (lane) => {
      const watched = this.#begin(lanes, lane)
      try {
        await handler(this.#observed(lane, watched))
      } finally {
        watched.endedAt = this.#o.now()
      }
    }
  }

  /** Degraded while a lane of the group stands still. */
  health(group: string, now: number): Health {
    for (const [partition, lane] of this.#groups.get(group) ?? []) {
      this.#look(partition, lane, now)
      const sinceEnd = lane.endedAt === undefined ? 0 : now - lane.endedAt
      if (sinceEnd >= endedMs) {
        return { state: 'degraded', reason: `nobody consumes partition ${partition}: its consumer has ended` }
      }
      const ms = lane.dueSince === undefined ? 0 : now - lane.dueSince
      if (ms < stillMs) continue
      const cause = this.#o.cause(now)
      const reason = `partition ${partition} has not moved on for ${seconds(ms)}${this.#behind(partition, lane)}`
      return { state: 'degraded', reason: cause === undefined ? reason : `${reason}; ${cause}` }
    }
    return { state: 'ok' }
  }

  #begin(lanes: Map<number, Watched>, { partition, signal }: Lane): Watched {
    const now = this.#o.now()
    const before = lanes.get(partition)
    const watched: Watched = before ?? {
      committed: undefined,
      handed: 0,
      dueSince: undefined,
      startedAt: now,
      endedAt: undefined,
    }
    watched.startedAt = now
    watched.endedAt = undefined
    if (before) return watched
    lanes.set(partition, watched)
    const gone = (): void => {
      if (lanes.get(partition) === watched) lanes.delete(partition)
    }
    signal.addEventListener('abort', gone, { once: true })
    if (signal.aborted) gone()
    return watched
  }

  #observed(lane: Lane, watched: Watched): Lane {
    const done = (next: number): void => {
      if (next > (watched.committed ?? -1)) watched.dueSince = undefined
      watched.committed = Math.max(next, watched.committed ?? 0)
      this.#look(lane.partition, watched, this.#o.now())
    }
    return {
      ...lane,
      committed: async () => {
        const committed = await lane.committed()
        done(committed)
        return committed
      },
      read: async (from, limits) => {
        const records = await lane.read(from, limits)
        const last = records.at(-1)
        if (last) {
          watched.handed = Math.max(watched.handed, last.baseOffset + last.count)
          this.#look(lane.partition, watched, this.#o.now())
        }
        return records
      },
      commit: async (next) => {
        await lane.commit(next)
        done(next)
      },
      working: () => {
        if (watched.dueSince !== undefined) watched.dueSince = this.#o.now()
      },
    }
  }

  /** Notes since when there is something to do. */
  #look(partition: number, lane: Watched, now: number): void {
    const end = Math.max(lane.handed, this.#o.end(partition) ?? 0)
    const { committed } = lane
    if (committed !== undefined && committed >= end) lane.dueSince = undefined
    else lane.dueSince ??= committed === undefined ? lane.startedAt : now
  }

  #behind(partition: number, { committed }: Watched): string {
    const end = this.#o.end(partition)
    return end === undefined || committed === undefined ? '' : `: ${end - committed} events wait`
  }
}
