import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { silentLogger, systemClock } from '@splitstream/kernel'
import kafkajs from 'kafkajs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Asker } from './asker.ts'
import { KafkaGroup } from './consumer.ts'

/** A broker that is frozen: the system takes connections for it, and nobody answers. */
let frozen: Server
const sockets = new Set<Socket>()

beforeEach(async () => {
  frozen = createServer((socket) => sockets.add(socket.on('error', () => undefined)))
  await new Promise<void>((resolve) => frozen.listen(0, '127.0.0.1', resolve))
})
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  frozen.close()
})

it('a group that is being joined with a frozen broker stops within seconds', async () => {
  const { port } = frozen.address() as AddressInfo
  const kafka = new kafkajs.Kafka({
    ...{ clientId: 'test', brokers: [`127.0.0.1:${port}`], logLevel: kafkajs.logLevel.NOTHING },
    ...{ requestTimeout: 60_000, enforceRequestTimeout: true },
  })
  const parts = { clock: systemClock, logger: silentLogger, kafka, asker: new Asker(kafka) }
  const group = new KafkaGroup({ ...parts, topic: 'events', partitions: 2, group: 'test' }, async () => undefined)
  group.start()
  await expect.poll(() => sockets.size).toBeGreaterThan(0)
  const from = performance.now()
  await group.stop()
  expect(performance.now() - from).toBeLessThan(15_000)
})
