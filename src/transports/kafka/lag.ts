import type { Asker } from './asker.ts'

export interface GroupLag {
  /** Not committed yet, over all partitions. */
  readonly records: number
  /** The group has committed something, some time. */
  readonly begun: boolean
}

/**
 * @param group as Kafka knows it
 * @throws AppError UNAVAILABLE when Kafka cannot say
 */
export async function lagOf(asker: Asker, topic: string, group: string): Promise<GroupLag> {
  const [offsets, committed] = await Promise.all([
    asker.ask('the bounds of the topic', (admin) => admin.fetchTopicOffsets(topic)),
    asker.ask("the group's offsets", (admin) => admin.fetchOffsets({ groupId: group, topics: [topic] })),
  ])
  const taken = new Map(committed[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
  const records = offsets.reduce((sum, { partition, low, high }) => {
    // -1: nothing was committed.
    const next = Math.max(taken.get(partition) ?? -1, Number(low))
    return sum + Math.max(0, Number(high) - next)
  }, 0)
  return { records, begun: [...taken.values()].some((offset) => offset >= 0) }
}

/** How many events a record has, as far as this process sees records: Kafka counts records, and people think in events. */
export class EventsPerRecord {
  #mean: number | undefined

  /** The last hundred records or so count. */
  add(count: number): void {
    this.#mean = this.#mean === undefined ? count : this.#mean + (count - this.#mean) / 100
  }

  /** 1 for each record as long as none was seen. */
  eventsIn(records: number): number {
    return Math.round(records * (this.#mean ?? 1))
  }
}
