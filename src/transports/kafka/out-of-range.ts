import { createRequire } from 'node:module'

interface OffsetManager {
  readonly cluster: { fetchTopicsOffset(asked: readonly object[]): Promise<readonly TopicOffsets[]> }
  readonly topicConfigurations: Readonly<Record<string, object>>
  resolvedOffsets: Record<string, Record<number, string>>
  setDefaultOffset(at: { topic: string; partition: number }): Promise<void>
}

interface TopicOffsets {
  readonly partitions: readonly { readonly partition: number; readonly offset: string }[]
}

/*
 * kafkajs 2.2.4: a consumer whose next record is not there any more commits -2 ("from the beginning") for its group, over what the
 * group had said that it is done with. It need not be told to: it fetches from the group's commit as soon as it has joined. Then
 * nobody can tell any more which records were deleted before they were taken. Here it goes on at the first record that there is, and
 * the group's commit stays; the lane finds the hole by itself (see Feed).
 * The class is not exported, so it is reached by its file: kafkajs is pinned to this version.
 */
const { prototype } = createRequire(import.meta.url)('kafkajs/src/consumer/offsetManager/index.js') as {
  prototype: OffsetManager
}

prototype.setDefaultOffset = async function (this: OffsetManager, { topic, partition }) {
  const asked = { topic, partitions: [{ partition }], ...this.topicConfigurations[topic] }
  const [found] = await this.cluster.fetchTopicsOffset([asked])
  const first = found?.partitions.find((one) => one.partition === partition)
  // Given up by the group in the meantime, it is nobody's here.
  const resolved = this.resolvedOffsets[topic]
  if (first && resolved) resolved[partition] = first.offset
}
