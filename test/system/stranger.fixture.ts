import kafkajs, { type Cluster } from 'kafkajs'

/** What kafkajs's types leave out of a broker. */
interface Coordinator {
  leaveGroup(member: { groupId: string; memberId: string }): Promise<unknown>
  joinGroup(request: object): Promise<{ readonly memberId: string; readonly generationId: number }>
  syncGroup(request: object): Promise<unknown>
}

export interface Stranger {
  /** Puts all members out of the group and takes their place: the group refuses them until what this returns is called. */
  occupy(): Promise<() => Promise<unknown>>
  stop(): Promise<void>
}

/** Longer than any test waits: without heartbeats it stays for so long, ms. */
const staysMs = 120_000
const protocol = { name: 'stranger', metadata: Buffer.alloc(0) }

/** One that may become a member of a consumer group, with a protocol that the others do not speak. */
export async function startStranger(brokers: readonly string[], groupId: string): Promise<Stranger> {
  const kafka = new kafkajs.Kafka({ clientId: 'stranger', brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING })
  let cluster: Cluster | undefined
  const client = kafka.consumer({
    groupId,
    partitionAssigners: [
      (config) => {
        cluster = config.cluster
        return { name: protocol.name, version: 0, protocol: () => protocol, assign: async () => [] }
      },
    ],
  })
  const admin = kafka.admin()
  await Promise.all([client.connect(), admin.connect()])
  const coordinator = (await cluster!.findGroupCoordinator({ groupId })) as unknown as Coordinator
  const putOut = async (): Promise<void> => {
    const { groups } = await admin.describeGroups([groupId])
    const members = groups.flatMap((group) => group.members)
    for (const { memberId } of members) await coordinator.leaveGroup({ groupId, memberId })
  }
  return {
    occupy: async () => {
      const memberId = await takePlace(coordinator, groupId, putOut)
      return () => coordinator.leaveGroup({ groupId, memberId })
    },
    stop: async () => {
      await Promise.all([client.disconnect(), admin.disconnect()])
    },
  }
}

async function takePlace(coordinator: Coordinator, groupId: string, putOut: () => Promise<void>): Promise<string> {
  for (let tries = 0; ; tries++) {
    await putOut()
    try {
      const { memberId, generationId } = await coordinator.joinGroup({
        ...{ groupId, memberId: '', protocolType: 'consumer', groupProtocols: [protocol] },
        ...{ sessionTimeout: staysMs, rebalanceTimeout: staysMs },
      })
      await coordinator.syncGroup({ groupId, generationId, memberId, groupAssignment: [] })
      return memberId
    } catch (error) {
      // One that was put out came back first.
      if (tries === 20) throw error
    }
  }
}
