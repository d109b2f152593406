import { setTimeout as delay } from 'node:timers/promises'
import { type Lane, type LogRecord, silentLogger, systemClock, untilAborted } from '@splitstream/kernel'
import { expect, it, vi } from 'vitest'
import { describeWithKafka } from '../../../test/support/kafka/suite.ts'
import { openLocalLog } from '../log/local-log.ts'
import { clusterOfSuite } from './cluster.fixture.ts'
import { call, entry, freshTopic, partitions, text } from './kafka.fixture.ts'
import { firstPartition, recordAt } from './places.ts'
import { toMessage } from './record.ts'

const patience = { timeout: 40_000, interval: 50 }
const fits = { 'max.message.bytes': String(32 << 20), 'min.insync.replicas': '2' }
const limits = { maxEvents: 100, maxBytes: 1 << 20, waitMs: 5_000 }

describeWithKafka('events that nobody has taken when their time is over', () => {
  // Brokers look for what is old every five minutes, and not in their first half.
  const often = { 'log.retention.check.interval.ms': '300', 'log.initial.task.delay.ms': '300' }
  const suite = clusterOfSuite({ settings: often })
  const { cleanups } = suite

  /** Settings of the topic that are not given are those of the brokers again. */
  async function change(topic: string, settings: Record<string, string>): Promise<void> {
    const { asker } = cleanups.client(suite.cluster.brokers)
    const configEntries = Object.entries({ ...fits, ...settings }).map(([name, value]) => ({ name, value }))
    const resources = [{ type: 2, name: topic, configEntries }]
    await asker.ask('a change', (admin) => admin.alterConfigs({ validateOnly: false, resources }))
  }

  /** Until Kafka has deleted all that partition 0 held, by its age. */
  async function age(topic: string): Promise<void> {
    const { asker } = cleanups.client(suite.cluster.brokers)
    await change(topic, { 'retention.ms': '1000', 'segment.ms': '500' })
    await vi.waitFor(async () => {
      const offsets = await asker.ask('the beginning', (admin) => admin.fetchTopicOffsets(topic))
      const { low, high } = offsets.find(({ partition }) => partition === 0)!
      expect(low).toBe(high)
    }, patience)
    await change(topic, {})
  }

  const logOn = async (topic: string) => cleanups.log(await cleanups.options(suite.cluster.brokers, topic))

  /** Runs `work` on the lane of partition 0, again and again as a handler is. */
  async function onLane(log: Awaited<ReturnType<typeof logOn>>, work: (lane: Lane) => Promise<void>) {
    return log.consume('reader', async (lane) => {
      if (lane.partition === firstPartition) await work(lane)
      await untilAborted(lane.signal)
    })
  }

  it('are not passed over in a lane that runs: it is told, and goes on when it says from where', async ({ skip }) => {
    if (suite.cluster.nodes.length === 0) skip('the brokers look too rarely')
    const topic = await suite.topic('retention', partitions, fits)
    const log = await logOn(topic)
    for (const value of ['read', 'deleted 1', 'deleted 2']) await log.append([entry(0, value)], call())
    const aged = Promise.withResolvers<void>()
    const busy = Promise.withResolvers<void>()
    const seen: unknown[] = []
    const consumption = await onLane(log, async (lane) => {
      const [first] = await lane.read(0, { ...limits, maxEvents: 1 })
      seen.push(text(first!))
      let next = first!.baseOffset + first!.count
      busy.resolve()
      await aged.promise
      // What was fetched before is kept; what comes after is gone.
      for (;;) {
        const records = await lane.read(next, limits).catch((error: unknown) => error as { code: string })
        if (!Array.isArray(records)) {
          seen.push(records.code)
          break
        }
        for (const record of records) seen.push(text(record))
        next = records.at(-1)!.baseOffset + records.at(-1)!.count
      }
      const { start } = await lane.bounds()
      expect(recordAt(start)).toBe(3 + many - 1)
      seen.push(...(await lane.read(start, limits)).map(text))
    })
    await busy.promise
    // More than a lane that is busy has in memory.
    const many = 6
    const large = 'x'.repeat(2 << 20)
    for (let i = 0; i < many; i++) await log.append([entry(0, large)], call())
    await age(topic)
    expect(await log.append([entry(0, 'after')], call())).toHaveLength(1)
    aged.resolve()
    await vi.waitFor(() => expect(seen.at(-1)).toBe('after'), patience)
    expect(seen.at(-2)).toBe('CONFLICT')
    expect(seen.filter((one) => one === 'CONFLICT')).toHaveLength(1)
    expect(seen.slice(0, 3)).toEqual(['read', 'deleted 1', 'deleted 2'])
    await consumption.stop()
  }, 120_000)

  it('are not passed over by one that starts with what it had', async ({ skip }) => {
    if (suite.cluster.nodes.length === 0) skip('the brokers look too rarely')
    const topic = await suite.topic('retention', partitions, fits)
    const log = await logOn(topic)
    for (const value of ['taken', 'deleted']) await log.append([entry(0, value)], call())
    const committed = Promise.withResolvers<number>()
    const before = await onLane(log, async (lane) => {
      const [first] = await lane.read(0, { ...limits, maxEvents: 1 })
      await lane.commit(first!.baseOffset + first!.count)
      committed.resolve(await lane.committed())
    })
    const next = await committed.promise
    await before.stop()
    await age(topic)
    await log.append([entry(0, 'after')], call())
    const again = await logOn(topic)
    const seen = Promise.withResolvers<unknown[]>()
    const after = await onLane(again, async (lane) => {
      // kafkajs fetches from the commit at once, and is told that it is not there.
      await delay(2_000)
      const gone = await lane.read(next, limits).catch((error: unknown) => error)
      const { start } = await lane.bounds()
      seen.resolve([gone, await lane.committed(), ...(await lane.read(start, limits)).map(text)])
    })
    // What the group is done with is still said by its commit.
    expect(await seen.promise).toEqual([expect.objectContaining({ code: 'CONFLICT' }), next, 'after'])
    await after.stop()
  }, 120_000)

  it('have all of it when they come out of the spool, however long they waited there', async () => {
    const topic = freshTopic('retention')
    suite.forget(topic)
    const o = await cleanups.options(suite.cluster.brokers, topic)
    const before = { ...systemClock, now: () => Date.now() - 2 * o.retainMs }
    const kept = { retainBytes: 0, retainMs: 0, minFreeBytes: 0, logger: silentLogger }
    const spool = await openLocalLog({ dir: o.spoolDir, partitions, clock: before, ...kept })
    await spool.append([entry(0, 'waited')], call())
    await spool.stop()
    const log = await cleanups.log(o)
    const found = Promise.withResolvers<LogRecord>()
    const consumption = await onLane(log, async (lane) => {
      const [record] = await lane.read(0, { ...limits, waitMs: 30_000 })
      if (record) found.resolve(record)
    })
    const record = await found.promise
    expect([text(record), Date.now() - record.appendedAt < o.retainMs / 2]).toEqual(['waited', true])
    await consumption.stop()
  })

  it('are told of when half of their time is over, until they are taken', async () => {
    const topic = freshTopic('retention')
    suite.forget(topic)
    const log = await cleanups.log(
      await cleanups.options(suite.cluster.brokers, topic, { watchMs: 200, groups: ['nobody'] }),
    )
    const { kafka } = cleanups.client(suite.cluster.brokers)
    const producer = kafka.producer()
    await producer.connect()
    cleanups.add(() => producer.disconnect())
    const minutes = 60_000
    const put = async (ageMs: number): Promise<void> => {
      const record = { count: 1, bytes: Buffer.from('x'), appendedAt: Date.now() - ageMs }
      await producer.send({ topic, acks: -1, messages: [toMessage(0, record)] })
    }
    const taking = Promise.withResolvers<void>()
    const consumption = await onLane(log, async (lane) => {
      const [first] = await lane.read(0, limits)
      await lane.commit(first!.baseOffset + first!.count)
      await Promise.race([taking.promise, untilAborted(lane.signal)])
      await lane.commit((await lane.bounds()).end)
    })
    await put(50 * minutes)
    await vi.waitFor(async () => expect(await log.lag('reader')).toBe(0), patience)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(log.retention()).toEqual({ state: 'ok' })
    await put(40 * minutes)
    await vi.waitFor(() => expect(log.retention().state).toBe('degraded'), patience)
    expect(log.retention().reason).toMatch(
      /^reader has not taken events .* older than 0.5 h, .* deletes events after 1 h/,
    )
    taking.resolve()
    await vi.waitFor(() => expect(log.retention()).toEqual({ state: 'ok' }), patience)
    // What is young may wait.
    await put(10 * minutes)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect([await log.lag('reader'), log.retention()]).toEqual([1, { state: 'ok' }])
    await consumption.stop()
  }, 120_000)
})
