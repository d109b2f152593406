import { setTimeout as delay } from 'node:timers/promises'
import { untilAborted } from '@splitstream/kernel'
import { expect, it, vi } from 'vitest'
import { soonReplaced } from '../../../test/support/kafka/settings.ts'
import { describeWithKafka } from '../../../test/support/kafka/suite.ts'
import { untilInSync } from '../../../test/support/kafka/topic.ts'
import { clusterOfSuite } from './cluster.fixture.ts'
import { type Cleanups, call, entry, partitions, text } from './kafka.fixture.ts'
import { firstPartition } from './places.ts'

const patience = { timeout: 60_000, interval: 50 }
/** As in use: what does not come soon goes into the spool. */
const soon = { sendMs: 4_000 }
const settings = { 'max.message.bytes': String(32 << 20), 'min.insync.replicas': '2' }

describeWithKafka('brokers that are away', () => {
  const suite = clusterOfSuite({ settings: soonReplaced })
  const { cleanups } = suite

  /**
   * Brokers get the ids of producers from the controller, a block at a time. The one that is about to freeze may be the
   * controller, and a broker that never had a block, as none of a new cluster has, would wait half a minute for another one.
   */
  async function fillProducerIds(): Promise<void> {
    const { kafka } = cleanups.client(suite.cluster.brokers)
    const connect = async (): Promise<void> => {
      // Each asks a broker picked at random.
      const producer = kafka.producer({ idempotent: true })
      await producer.connect()
      await producer.disconnect()
    }
    await Promise.all(Array.from({ length: 24 }, connect))
  }

  /** Appends until Kafka has it: on a busy machine it may be spooled first, and is read twice then. */
  async function write(
    { append }: Pick<Awaited<ReturnType<Cleanups['log']>>, 'append'>,
    partition: number,
    value: string,
  ) {
    await vi.waitFor(async () => expect(await append([entry(partition, value)], call())).toHaveLength(1), patience)
  }

  type Consuming = Pick<Awaited<ReturnType<Cleanups['log']>>, 'consume'>

  /** The values of partition 0, each where it came first, as a consumer of the group `reader` reads them. */
  async function read(log: Consuming): Promise<{ values: Set<string>; stop(): Promise<void> }> {
    const values = new Set<string>()
    const consumption = await log.consume('reader', async (lane) => {
      if (lane.partition !== firstPartition) return untilAborted(lane.signal)
      for (let next = await lane.committed(); !lane.signal.aborted; ) {
        for (const record of await lane.read(next, { maxEvents: 100, maxBytes: 1 << 20, waitMs: 1_000 })) {
          values.add(text(record))
          next = record.baseOffset + record.count
        }
        await lane.commit(next)
      }
    })
    return { values, stop: () => consumption.stop() }
  }

  it('a frozen leader: appends resolve, producer and consumer are replaced, and the order stays', async ({ skip }) => {
    if (suite.cluster.nodes.length === 0) skip('the brokers are not ours to freeze')
    const topic = await suite.topic('outage', partitions, settings)
    const { asker } = cleanups.client(suite.cluster.brokers)
    const log = await cleanups.log(await cleanups.options(suite.cluster.brokers, topic, soon))
    await write(log, 0, 'before')
    const reader = await read(log)
    await vi.waitFor(() => expect(reader.values.size).toBe(1), patience)
    const { topics: known } = await asker.ask('leaders', (admin) => admin.fetchTopicMetadata({ topics: [topic] }))
    const found = known[0]!.partitions
    const leader = suite.cluster.nodes.find(
      ({ id }) => id === found.find(({ partitionId }) => partitionId === 0)!.leader,
    )!
    await fillProducerIds()
    await leader.pause()
    try {
      // Its connection is open, and nothing ever comes back over it.
      const begun = performance.now()
      const during = ['during 1', 'during 2', 'during 3'].map((value) => log.append([entry(0, value)], call()))
      expect(await Promise.all(during)).toEqual([[], [], []])
      expect(performance.now() - begun).toBeLessThan(15_000)
      expect(log.health().state).toBe('degraded')
      // The others elect a leader, to which a new producer finds its way while the frozen one is still frozen.
      await vi.waitFor(() => expect(log.health()).toEqual({ state: 'ok' }), patience)
      await write(log, 0, 'after')
      // So does the consumer, whose connection to it is as dead.
      await vi.waitFor(() => expect(reader.values.size).toBe(5), patience)
      expect([...reader.values]).toEqual(['before', 'during 1', 'during 2', 'during 3', 'after'])
    } finally {
      await leader.resume()
    }
    await reader.stop()
    await untilInSync(suite.cluster.brokers, topic, 3)
  }, 120_000)

  it('the only broker that the settings name: the others go on without it', async ({ skip }) => {
    const [named] = suite.cluster.nodes
    if (!named) skip('the brokers are not ours to kill')
    const topic = await suite.topic('outage', partitions, settings)
    const log = await cleanups.log(await cleanups.options([named!.broker], topic, soon))
    for (let p = 0; p < partitions; p++) await write(log, p, 'before')
    await named!.kill()
    try {
      for (let p = 0; p < partitions; p++) await write(log, p, 'during')
      expect(log.health()).toEqual({ state: 'ok' })
      // A consumer, too, that comes only now.
      const reader = await read(log)
      await vi.waitFor(() => expect([...reader.values]).toEqual(['before', 'during']), patience)
      await reader.stop()
    } finally {
      await named!.start()
    }
    await untilInSync(suite.cluster.brokers, topic, 3)
  }, 120_000)

  it('no broker at all: what is appended outlives a restart and drains in order', async ({ skip }) => {
    if (suite.cluster.nodes.length === 0) skip('the brokers are not ours to kill')
    const topic = await suite.topic('outage', partitions, settings)
    const o = await cleanups.options(suite.cluster.brokers, topic, { ...soon, startMs: 200 })
    const log = await cleanups.log(o)
    await vi.waitFor(() => expect(log.health()).toEqual({ state: 'ok' }), patience)
    const values: string[] = []
    const put = (from: Pick<typeof log, 'append'>, value: string) => {
      values.push(value)
      return from.append([entry(0, value)], call())
    }
    values.push('before')
    await write(log, 0, 'before')
    await Promise.all(suite.cluster.nodes.map((node) => node.kill()))
    for (let i = 0; i < 5; i++) expect(await put(log, `away ${i}`)).toEqual([])
    // Once it is known that no broker is there, no partition waits for one: not even as long as one would for an answer.
    const begun = performance.now()
    for (let p = 1; p < partitions; p++) expect(await log.append([entry(p, 'another')], call())).toEqual([])
    expect(performance.now() - begun).toBeLessThan(soon.sendMs)
    await log.stop()
    const again = await cleanups.log(o)
    for (let i = 0; i < 5; i++) expect(await put(again, `away, after the restart ${i}`)).toEqual([])
    const starting = Promise.all(suite.cluster.nodes.map((node) => node.start()))
    // Appends go on while the brokers come back and the spool drains.
    let running = true
    const going = (async () => {
      for (let i = 0; running; i++) {
        await put(again, `going on ${i}`)
        await delay(50)
      }
    })()
    await starting
    await vi.waitFor(() => expect(again.health()).toEqual({ state: 'ok' }), patience)
    running = false
    await going
    values.push('the last')
    await write(again, 0, 'the last')
    const reader = await read(again)
    await vi.waitFor(() => expect(reader.values.size).toBe(values.length), patience)
    expect([...reader.values]).toEqual(values)
    await reader.stop()
  }, 180_000)
})
