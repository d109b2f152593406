import kafkajs, { type PartitionAssigner } from 'kafkajs'

/** Partitions in turn to the members. Only the leader of a group assigns, and it alone is told how many members there are. */
export const assignInTurn =
  (told: (members: number) => void): PartitionAssigner =>
  (config) => {
    const inTurn = kafkajs.PartitionAssigners.roundRobin(config)
    return {
      name: inTurn.name,
      version: inTurn.version,
      protocol: (subscription) => inTurn.protocol(subscription),
      assign: (group) => {
        told(group.members.length)
        return inTurn.assign(group)
      },
    }
  }
