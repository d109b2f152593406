import type { Clock } from '@splitstream/kernel'

/** A partition whose lane waits for the record `next` (Kafka's offset) or one after it. */
export interface WaitingLane {
  readonly partition: number
  readonly next: number
}

interface Standstill {
  readonly next: number
  readonly since: number
}

/**
 * kafkajs can stop fetching a partition without a word (tulios/kafkajs#1072, #659). What tells is a lane that waits for the
 * same record look after look, while the partition has it.
 */
export class Watchdog {
  readonly #clock: Clock
  readonly #stuckMs: number
  readonly #standing = new Map<number, Standstill>()

  constructor(clock: Clock, stuckMs: number) {
    this.#clock = clock
    this.#stuckMs = stuckMs
  }

  /**
   * @param ends offset after the last record of each partition; a partition without one is not judged
   * @returns the partition that stands still for too long, when there is one
   */
  look(waiting: readonly WaitingLane[], ends: ReadonlyMap<number, number>): number | undefined {
    const now = this.#clock.monotonic()
    const behind = waiting.filter(({ partition, next }) => next < (ends.get(partition) ?? 0))
    for (const partition of this.#standing.keys()) {
      if (!behind.some((lane) => lane.partition === partition)) this.#standing.delete(partition)
    }
    for (const { partition, next } of behind) {
      const before = this.#standing.get(partition)
      if (before?.next !== next) this.#standing.set(partition, { next, since: now })
      else if (now - before.since >= this.#stuckMs) return partition
    }
    return undefined
  }

  /** The consumer is another one now. */
  reset(): void {
    this.#standing.clear()
  }
}
