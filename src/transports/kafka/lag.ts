import type { Asker } from './asker.ts'

/**
 * Records that the group has not committed yet, over all partitions.
 * @param group as Kafka knows it
 * @throws AppError UNAVAILABLE when Kafka cannot say
 */
export async function lagOf(asker: Asker, topic: string, group: string): Promise<number> {
  const [offsets, committed] = await Promise.all([
    asker.ask('the bounds of the topic', (admin) => admin.fetchTopicOffsets(topic)),
    asker.ask("the group's offsets", (admin) => admin.fetchOffsets({ groupId: group, topics: [topic] })),
  ])
  const taken = new Map(committed[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
  // -1: the group has committed nothing.
  return offsets.reduce((sum, { partition, low, high }) => {
    const next = Math.max(taken.get(partition) ?? -1, Number(low))
    return sum + Math.max(0, Number(high) - next)
  }, 0)
}
