import { setTimeout as delay } from 'node:timers/promises'
import { noMetrics, silentLogger, systemClock } from '@splitstream/kernel'
import type { Kafka, Producer, ProducerRecord } from 'kafkajs'
import { expect, it, vi } from 'vitest'
import { describeWithKafka } from '../../../test/support/kafka/suite.ts'
import { openLocalLog } from '../log/local-log.ts'
import { Brokers } from './brokers.ts'
import { kafkaClient } from './client.ts'
import { clusterOfSuite } from './cluster.fixture.ts'
import { call, entry, freshTopic, plainAccess } from './kafka.fixture.ts'
import { openKafkaLog } from './log.ts'
import { requestQueue } from './quiet-queue.ts'
import { Reachability } from './reachability.ts'
import { asBatch } from './record.ts'
import { TopicGate } from './topic-gate.ts'
import { KafkaWriter } from './writer.ts'

const patience = { timeout: 40_000, interval: 50 }

describeWithKafka('what kafkajs and clusters get wrong', () => {
  const suite = clusterOfSuite()
  const { cleanups } = suite

  it('each request to a broker is for one partition, with its own producer', async () => {
    const partitions = 6
    const topic = await suite.topic('dodges', partitions)
    const brokers = new Brokers(suite.cluster.brokers)
    const kafka = kafkaClient(brokers, plainAccess(), 'splitstream-test', silentLogger)
    const watched = watchProducers(kafka)
    const shared = { clock: systemClock, logger: silentLogger }
    const spool = await openLocalLog({ dir: await cleanups.folder(), partitions, minFreeBytes: 0, ...shared })
    cleanups.add(() => spool.stop())
    const gate = new TopicGate({ prepare: async () => undefined, ...shared })
    gate.start()
    await gate.answered
    const limits = { maxSpoolBytes: 1 << 20, maxPendingBytes: 1 << 20 }
    const reachability = new Reachability(brokers, plainAccess(), systemClock, silentLogger)
    const to = { kafka, topic, partitions, compression: 'none' as const, encode: asBatch, reachability, gate }
    const writer = new KafkaWriter({ ...to, spool, ...limits, ...shared, metrics: noMetrics })
    await writer.start()
    cleanups.add(() => writer.stop())

    const entries = Array.from({ length: partitions }, (_, p) => entry(p, `value ${p}`))
    expect(await writer.append(entries, call())).toHaveLength(partitions)
    expect(await writer.append(entries, call())).toHaveLength(partitions)

    expect(watched.sends.map(({ partitions }) => partitions.length)).toEqual(Array(2 * partitions).fill(1))
    expect(new Set(watched.sends.map(({ producer }) => producer)).size).toBe(partitions)
    // Each send became one request: 12 for 12, though three brokers lead the six partitions.
    expect(watched.requests).toBe(2 * partitions)

    // As kafkajs is usually used: one send over all partitions, in which a part can get lost.
    const usual = kafka.producer({ idempotent: true })
    await usual.connect()
    cleanups.add(() => usual.disconnect())
    await usual.send({ topic, acks: -1, messages: entries.map(({ partition }) => ({ partition, value: 'x' })) })
    expect(watched.sends.at(-1)!.partitions).toHaveLength(partitions)
    expect(watched.requests - 2 * partitions).toBeLessThanOrEqual(3)
  })

  it('a connection with nothing to do does nothing', async () => {
    const looks = vi.spyOn(requestQueue, 'checkPendingRequests')
    cleanups.add(async () => looks.mockRestore())
    await cleanups.client(suite.cluster.brokers).asker.ask('the topics', (admin) => admin.listTopics())
    const before = looks.mock.calls.length
    await delay(500)
    expect(looks.mock.calls.length - before).toBeLessThan(5)
  })

  it.each([
    ['LOG_PARTITIONS', 3, {}],
    ['min.insync.replicas', 4, { 'min.insync.replicas': '1' }],
    ['cleanup.policy', 4, { 'cleanup.policy': 'compact' }],
    ['cleanup.policy', 4, { 'cleanup.policy': 'compact,delete' }],
    ['max.message.bytes', 4, { 'max.message.bytes': '1048588' }],
    ['retention.ms=3600001', 4, { 'retention.ms': '3600000' }],
    ['retention.bytes=-1', 4, { 'retention.bytes': '1000000000' }],
  ])('a topic with a wrong %s stops the start (%i partitions, %j)', async (setting, partitions, settings) => {
    const topic = await suite.topic('dodges', partitions, { 'max.message.bytes': String(32 << 20), ...settings })
    const opening = openKafkaLog(await cleanups.options(suite.cluster.brokers, topic, { retainMs: 3_600_001 }))
    await expect(opening).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(setting) })
  })

  it('a topic that turns out to be wrong after the start gets nothing until it is mended', async () => {
    const settings = { 'max.message.bytes': String(32 << 20), 'min.insync.replicas': '1' }
    const topic = await suite.topic('dodges', 4, settings)
    const { asker } = cleanups.client(suite.cluster.brokers)
    const written = async (): Promise<number> => {
      const offsets = await asker.ask('the end', (admin) => admin.fetchTopicOffsets(topic))
      return offsets.reduce((sum, { high }) => sum + Number(high), 0)
    }
    // It does not wait for Kafka, as after a long outage.
    const log = await cleanups.log(await cleanups.options(suite.cluster.brokers, topic, { startMs: 0 }))
    expect(await log.append([entry(0, 'before')], call())).toEqual([])
    await vi.waitFor(() => expect(log.health().state).toBe('down'), patience)
    expect(log.health().reason).toContain('min.insync.replicas=1')
    expect(await log.append([entry(0, 'after'), entry(1, 'other')], call())).toEqual([])
    expect(await written()).toBe(0)

    const configEntries = Object.entries({ ...settings, 'min.insync.replicas': '2' }).map(([name, value]) => ({
      name,
      value,
    }))
    const resources = [{ type: 2, name: topic, configEntries }]
    await asker.ask('a change', (admin) => admin.alterConfigs({ validateOnly: false, resources }))
    await vi.waitFor(() => expect(log.health()).toEqual({ state: 'ok' }), patience)
    expect(await written()).toBe(3)
    expect(await log.append([entry(0, 'at once')], call())).toHaveLength(1)
  })

  it('a topic with too few copies stops the start', async () => {
    const topic = freshTopic('dodges')
    suite.forget(topic)
    const one = { topic, numPartitions: 4, replicationFactor: 1 }
    const { asker } = cleanups.client(suite.cluster.brokers)
    await asker.ask('a new topic', (admin) => admin.createTopics({ waitForLeaders: false, topics: [one] }))
    const opening = openKafkaLog(await cleanups.options(suite.cluster.brokers, topic))
    await expect(opening).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('KAFKA_REPLICATION'),
    })
  })

  it('several that start at once make the topic together', async () => {
    const topic = freshTopic('dodges')
    suite.forget(topic)
    const each = async () => cleanups.log(await cleanups.options(suite.cluster.brokers, topic))
    const logs = await Promise.all([each(), each(), each()])
    for (const log of logs) expect(log.health()).toEqual({ state: 'ok' })
    const ranges = await Promise.all(logs.map((log) => log.append([entry(0, 'x')], call())))
    expect(new Set(ranges.flat().map(({ first }) => first)).size).toBe(3)
  })
})

interface Watched {
  readonly sends: { producer: Producer; partitions: (number | undefined)[] }[]
  requests: number
}

/** Notes what the producers of a client send, and how many requests become of it. */
function watchProducers(kafka: Kafka): Watched {
  const watched: Watched = { sends: [], requests: 0 }
  const make = kafka.producer.bind(kafka)
  kafka.producer = (config) => {
    const producer = make(config)
    producer.on(producer.events.REQUEST, ({ payload }) => {
      if (payload.apiName === 'Produce') watched.requests++
    })
    const send = producer.send
    producer.send = (record: ProducerRecord) => {
      watched.sends.push({ producer, partitions: record.messages.map(({ partition }) => partition) })
      return send(record)
    }
    return producer
  }
  return watched
}
