import { setTimeout as delay } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import '../../../src/transports/kafka/quiet-queue.ts'

/** Of the whole start: a machine under load starts three JVMs in some 10 s. */
const DEADLINE_MS = 120_000
const EVERY_MS = 100

/**
 * Waits until this broker itself says that the cluster has these nodes, and that they are in service.
 * @throws Error after two minutes, or when `failed` says why there is no point in waiting.
 */
export async function untilMember(broker: string, ids: readonly number[], failed: () => string | undefined) {
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    const inService = await nodesOf(broker)
    if (ids.every((id) => inService.includes(id))) return
    const why = failed() ?? (performance.now() > deadline ? `not ready within ${DEADLINE_MS} ms` : undefined)
    if (why !== undefined) throw new Error(`Kafka at ${broker} did not start: ${why}`)
    await delay(EVERY_MS)
  }
}

async function nodesOf(broker: string): Promise<number[]> {
  const client = new Kafka({
    clientId: 'splitstream-ready',
    brokers: [broker],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2_000,
    requestTimeout: 5_000,
    retry: { retries: 0 },
  })
  const admin = client.admin()
  try {
    await admin.connect()
    return (await admin.describeCluster()).brokers.map(({ nodeId }) => nodeId)
  } catch {
    return [] // not yet
  } finally {
    await admin.disconnect().catch(() => {})
  }
}
