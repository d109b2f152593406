import { partitionsPerLog } from '@splitstream/kernel'

/** Times (µs) of the events of one partition, but for those that were ahead of their arrival. -Infinity: there are none. */
export interface PartitionTimes {
  /** The greatest in the newer half of the window, and in the older. */
  current: number
  previous: number
  /** The greatest of what was forgotten. */
  forgotten: number
  /** An event of this partition up to this time may be the retry of one that was forgotten. */
  doubtful: number
}

/**
 * What was forgotten, by partition. A retry comes in the partition of its event, so what was forgotten of other partitions says nothing
 * of it: a partition that is far behind the others, after an outage or under a load that they bear better, is not in doubt because of
 * that. Were all its events looked up, it would fall behind further and further. Only what is in another log may come here again.
 */
export class ForgottenTimes {
  readonly #partitions = new Map<number, PartitionTimes>()

  /** @param forgotten greatest time of a stored event that the index will not be told of, by partition */
  constructor(forgotten: ReadonlyMap<number, number>) {
    for (const [partition, time] of forgotten) this.#add(partition, time)
    this.#settle()
  }

  of(partition: number): PartitionTimes {
    const known = this.#partitions.get(partition)
    if (known) return known
    // When a log was given more partitions, what is in a new one now may have been in another one before.
    const times = this.#add(partition, this.latest)
    this.#settle()
    return times
  }

  /** The greatest time that was forgotten of any partition. */
  get latest(): number {
    return Math.max(...[...this.#partitions.values()].map(({ forgotten }) => forgotten))
  }

  /** The window goes on: its older half is forgotten, the newer one takes its place. */
  turn(): void {
    for (const times of this.#partitions.values()) {
      times.forgotten = Math.max(times.forgotten, times.previous)
      times.previous = times.current
      times.current = Number.NEGATIVE_INFINITY
    }
    this.#settle()
  }

  /** Events up to these times count as forgotten. */
  forget(until: ReadonlyMap<number, number>): void {
    for (const [partition, time] of until) {
      const times = this.of(partition)
      times.forgotten = Math.max(times.forgotten, time)
    }
    this.#settle()
  }

  #add(partition: number, forgotten: number): PartitionTimes {
    const never = Number.NEGATIVE_INFINITY
    const times = { current: never, previous: never, forgotten, doubtful: forgotten }
    this.#partitions.set(partition, times)
    return times
  }

  #settle(): void {
    for (const [partition, times] of this.#partitions) {
      times.doubtful = times.forgotten
      for (const [other, { forgotten }] of this.#partitions) {
        if (logOf(other) !== logOf(partition)) times.doubtful = Math.max(times.doubtful, forgotten)
      }
    }
  }
}

const logOf = (partition: number): number => Math.floor(partition / partitionsPerLog)
