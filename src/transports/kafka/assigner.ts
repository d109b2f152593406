import kafkajs, { type Cluster, type PartitionAssigner } from 'kafkajs'

export interface Membership {
  /** What kafkajs knows of the brokers, through which other requests can go than its consumer has methods for. */
  connected(cluster: Cluster): void
  /** This member is about to ask for a place in the group. */
  joining(): void
  /** It leads the group, which has so many members: only a leader assigns, and is told. */
  leading(members: number): void
}

/** Partitions in turn to the members; and what kafkajs has no event for. */
export const assignInTurn =
  (membership: Membership): PartitionAssigner =>
  (config) => {
    membership.connected(config.cluster)
    const inTurn = kafkajs.PartitionAssigners.roundRobin(config)
    return {
      name: inTurn.name,
      version: inTurn.version,
      protocol: (subscription) => {
        membership.joining()
        return inTurn.protocol(subscription)
      },
      assign: (group) => {
        membership.leading(group.members.length)
        return inTurn.assign(group)
      },
    }
  }
