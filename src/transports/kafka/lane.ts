import { AppError, type Lane } from '@splitstream/kernel'
import type { Asker } from './asker.ts'
import type { Feed } from './feed.ts'
import { firstPartition, placeOf } from './places.ts'

export interface LaneOptions {
  /** Kafka's number. */
  readonly partition: number
  readonly topic: string
  readonly group: string
  readonly asker: Asker
  readonly feed: Feed
  readonly signal: AbortSignal
  commit(next: number): Promise<void>
}

/** @see Lane */
export function openLane({ partition, topic, group, asker, feed, signal, commit }: LaneOptions): Lane {
  const bounds = async (): Promise<{ start: number; end: number }> => {
    const offsets = await asker.ask('the bounds of the topic', (admin) => admin.fetchTopicOffsets(topic))
    const own = offsets.find((one) => one.partition === partition)
    if (!own) throw new AppError('UNAVAILABLE', `the topic has no partition ${partition}`)
    feed.learn(Number(own.low), Number(own.high))
    return { start: afterRecord(Number(own.low) - 1), end: placeOf(own.high) }
  }
  return {
    partition: firstPartition + partition,
    signal,
    bounds,
    committed: async () => {
      const found = await asker.ask("the group's offset", (admin) =>
        admin.fetchOffsets({ groupId: group, topics: [topic] }),
      )
      const own = found[0]?.partitions.find((one) => one.partition === partition)
      // -1: the group has none.
      return Math.max(0, placeOf(own?.offset ?? '0'))
    },
    read: async (from, limits) => {
      // Without it the first read could not tell "nothing there" from "not fetched yet". Unknown, it waits as long as told.
      if (!feed.knowsEnd) await bounds().catch(() => undefined)
      return feed.read(from, limits, signal)
    },
    commit,
  }
}

/** The least offset that somebody who is done with the record may go on from: the gap behind it holds nothing to lose. */
const afterRecord = (record: number): number => (record < 0 ? 0 : placeOf(String(record)) + 1)
