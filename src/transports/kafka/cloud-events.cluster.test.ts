import { decodeRow, joinEvent, openRecord, splitEvents } from '@splitstream/ingest/contract'
import { type LogRange, type LogRecord, untilAborted } from '@splitstream/kernel'
import { expect, it, vi } from 'vitest'
import { freePorts } from '../../../test/support/kafka/ports.ts'
import { describeWithKafka } from '../../../test/support/kafka/suite.ts'
import { clusterOfSuite } from './cluster.fixture.ts'
import { eventRecord } from './event-record.fixture.ts'
import { call, freshTopic, readFirst } from './kafka.fixture.ts'
import { firstPartition } from './places.ts'

const codec = { split: splitEvents, join: joinEvent }
const patience = { timeout: 40_000, interval: 50 }

const dataOf = (record: LogRecord): string[] => {
  const view = openRecord(record.bytes)
  return Array.from({ length: view.count }, (_, i) => decodeRow(view, i).data)
}

describeWithKafka('records of batches and of single events on one topic', () => {
  const suite = clusterOfSuite()
  const { cleanups } = suite

  it('are read in order, each event once and at the place that its append was told', async () => {
    const topic = freshTopic('encodings')
    suite.forget(topic)
    const options = await cleanups.options(suite.cluster.brokers, topic, { codec })
    const ranges: LogRange[] = []
    const sent: string[] = []
    // The setting is changed from one start to the next, and back; the last batch needs more sends than one.
    for (const [singleEvents, count] of [
      [false, 3],
      [true, 4],
      [false, 2],
      [true, 12_000],
    ] as const) {
      const log = await cleanups.log({ ...options, singleEvents })
      const data = Array.from({ length: count }, (_, i) => JSON.stringify(`${sent.length + i}`))
      ranges.push(...(await log.append([{ partition: 0, count, bytes: eventRecord(data) }], call())))
      sent.push(...data)
      await log.stop()
    }
    const { kafka } = cleanups.client(suite.cluster.brokers)
    const producer = kafka.producer()
    await producer.connect()
    const foreign = { value: '{"specversion":"1.0"}', headers: { 'content-type': 'application/cloudevents+json' } }
    await producer.send({ topic, messages: [{ partition: 0, ...foreign }] })
    await producer.disconnect()

    const log = await cleanups.log({ ...options, spoolDir: undefined, groups: ['reader'] })
    const found: LogRecord[] = []
    await log.consume('reader', async (lane) => {
      for (let next = 0; lane.partition === ranges[0]!.partition && !lane.signal.aborted; ) {
        for (const record of await lane.read(next, { maxEvents: 5_000, maxBytes: 1 << 20, waitMs: 500 })) {
          found.push(record)
          next = record.baseOffset + record.count
        }
        if (next > 0) await lane.commit(next)
      }
      await untilAborted(lane.signal)
    })
    await vi.waitFor(() => expect(found.at(-1)?.corrupt).toBe(true), patience)
    const [stranger, ...others] = found.toReversed()
    expect([stranger!.count, Buffer.from(stranger!.bytes).toString()]).toEqual([1, foreign.value])
    expect(others.some(({ corrupt }) => corrupt)).toBe(false)
    expect(others.toReversed().flatMap(dataOf)).toEqual(sent)
    const places = others.toReversed().flatMap(({ baseOffset, count }) => [baseOffset, baseOffset + count - 1])
    for (const [i, { first, last }] of ranges.entries()) {
      expect(places).toContain(first)
      expect(places).toContain(last)
      if (i > 0) expect(first).toBeGreaterThan(ranges[i - 1]!.last)
    }
    expect(places.at(-1)).toBe(ranges.at(-1)!.last)
    await vi.waitFor(async () => expect(await log.lag('reader')).toBe(0), patience)
  })

  it('what waited in the spool comes as single events, in order and before what is new', async () => {
    const topic = freshTopic('spooled-events')
    suite.forget(topic)
    const options = { ...(await cleanups.options(suite.cluster.brokers, topic, { codec })), singleEvents: true }
    const [deadPort] = await freePorts(1)
    const entry = (...data: string[]) => ({ partition: 0, count: data.length, bytes: eventRecord(data) })
    const away = await cleanups.log({ ...options, brokers: [`127.0.0.1:${deadPort}`], startMs: 100 })
    expect(await away.append([entry('1', '2', '3')], call())).toEqual([])
    await away.stop()

    const log = await cleanups.log(options)
    await log.append([entry('4', '5')], call())
    const found: LogRecord[] = []
    await log.consume('reader', async (lane) => {
      if (lane.partition === firstPartition) found.push(...(await readFirst(lane, 5)))
      await untilAborted(lane.signal)
    })
    await vi.waitFor(() => expect(found).toHaveLength(5), patience)
    expect(found.flatMap(dataOf)).toEqual(['1', '2', '3', '4', '5'])
  })
})
