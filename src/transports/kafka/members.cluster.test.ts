import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { codeOf, type Lane, silentLogger, systemClock, untilAborted } from '@splitstream/kernel'
import type { Consumer } from 'kafkajs'
import { beforeEach, expect, it, vi } from 'vitest'
import { describeWithKafka } from '../../../test/support/kafka/suite.ts'
import { clusterOfSuite } from './cluster.fixture.ts'
import { type ConsumerOptions, KafkaGroup } from './consumer.ts'
import { call, freshTopic, partitions, readFirst, text } from './kafka.fixture.ts'
import { firstPartition, placeOf } from './places.ts'
import { toMessage } from './record.ts'
import { Watchdog } from './watchdog.ts'

const patience = { timeout: 40_000, interval: 20 }

describeWithKafka('members of a consumer group', () => {
  const suite = clusterOfSuite({ settings: { 'group.min.session.timeout.ms': '1000' } })
  const { cleanups } = suite
  let sessionMs: number
  let topic: string
  let common: ConsumerOptions

  beforeEach(async () => {
    // Of a cluster that is not ours, Kafka's own minimum.
    sessionMs = suite.cluster.kind === 'external' ? 6_000 : 3_000
    topic = await suite.topic('members', partitions)
    const { kafka, asker } = cleanups.client(suite.cluster.brokers)
    const shared = { clock: systemClock, logger: silentLogger }
    common = { kafka, asker, topic, partitions, group: `${topic}-group`, sessionMs, ...shared }
  })

  /** A member and the lanes that it holds. */
  function member(o: Partial<ConsumerOptions> = {}, work = (lane: Lane): Promise<void> => untilAborted(lane.signal)) {
    const lanes = new Map<number, Lane>()
    const group = new KafkaGroup({ ...common, ...o }, async (lane) => {
      lanes.set(lane.partition, lane)
      await work(lane).finally(() => lanes.get(lane.partition) === lane && lanes.delete(lane.partition))
    })
    group.start()
    cleanups.add(() => group.stop())
    return lanes
  }

  async function send(partition: number, values: readonly string[]): Promise<void> {
    const producer = common.kafka.producer()
    await producer.connect()
    const messages = values.map((value) => toMessage(partition, { count: 1, bytes: Buffer.from(value) }))
    await producer.send({ topic, acks: -1, messages })
    await producer.disconnect()
  }

  it('tells how far each group is behind, also one of other processes', async () => {
    const own = freshTopic('lag')
    suite.forget(own)
    const options = await cleanups.options(suite.cluster.brokers, own, { groups: ['reader', 'nobody'] })
    const log = await cleanups.log(options)
    const ten = { count: 10, bytes: Buffer.from('ten events') }
    for (const partition of [0, 0, 0, 1]) await log.append([{ partition, ...ten }], call())
    const other = await cleanups.log({ ...options, groups: [], spoolDir: undefined })
    const reader = await other.consume('reader', async (lane) => {
      const [first] = await lane.read(0, { maxEvents: 1, maxBytes: 1, waitMs: 1_000 })
      if (first) await lane.commit(first.baseOffset + first.count)
      await untilAborted(lane.signal)
    })
    await vi.waitFor(async () => expect(await log.lag('reader')).toBe(2), patience)
    expect(await log.lags()).toEqual(new Map([['reader', 20]]))
    expect(await log.lag('nobody')).toBe(4)
    await reader.stop()
    expect(await log.lags()).toEqual(new Map([['reader', 20]]))
  })

  it('one that is frozen and wakes up finds its commits refused and its lanes ended', async () => {
    for (let partition = 0; partition < partitions; partition++) await send(partition, ['a', 'b', 'c'])
    const zombie = startZombie(suite.cluster.brokers, topic, common.group, sessionMs)
    cleanups.add(() => zombie.kill())
    await vi.waitFor(() => expect(zombie.partitions('committed').size).toBe(partitions), patience)
    zombie.process.kill('SIGSTOP')

    const lanes = member()
    await vi.waitFor(() => expect(lanes.size).toBe(partitions), patience)
    for (const lane of lanes.values()) await lane.commit(placeOf(3))
    zombie.forget()
    zombie.process.kill('SIGCONT')
    await vi.waitFor(() => expect(zombie.process.exitCode).toBe(0), patience)
    expect(zombie.partitions('ended').size).toBe(partitions)
    expect(zombie.partitions('refused:UNAVAILABLE').size).toBeGreaterThan(0)
    const groupOf = { groupId: common.group, topics: [topic] }
    const [own] = await common.asker.ask('the commits', (admin) => admin.fetchOffsets(groupOf))
    expect(own!.partitions.map(({ offset }) => offset)).toEqual(Array(partitions).fill('3'))
  })

  it('a lane that stays where it is goes on through a rebalance, commits included', async () => {
    const trouble: unknown[] = []
    const first = member({}, async (lane) => {
      for (let next = 1; !lane.signal.aborted; next++) {
        await lane.commit(placeOf(next)).catch((error: unknown) => {
          if (!lane.signal.aborted) trouble.push(error)
        })
        await delay(5)
      }
    })
    await vi.waitFor(() => expect(first.size).toBe(partitions), patience)
    const before = new Map(first)
    const second = member()
    await vi.waitFor(() => expect([first.size, second.size]).toEqual([2, 2]), patience)
    const kept = [...first].filter(([partition, lane]) => before.get(partition) === lane)
    expect(kept).toHaveLength(2)
    await delay(100)
    expect(trouble).toEqual([])
  })

  it('a lane that was given away takes no commit from the one that had it', async () => {
    for (let partition = 0; partition < partitions; partition++) await send(partition, ['a', 'b', 'c'])
    const first = member()
    await vi.waitFor(() => expect(first.size).toBe(partitions), patience)
    const before = new Map(first)
    const second = member()
    await vi.waitFor(() => expect(second.size).toBe(2), patience)
    for (const [partition, lane] of second) {
      await lane.commit(placeOf(3))
      const refused = await before.get(partition)!.commit(placeOf(1)).catch(codeOf)
      expect(refused).toBe('UNAVAILABLE')
      expect(await lane.committed()).toBe(placeOf(3))
    }
  })

  it('one that stands still without a word is made anew, and goes on', async () => {
    const consumers: Consumer[] = []
    const make = common.kafka.consumer.bind(common.kafka)
    common.kafka.consumer = (config) => {
      const consumer = make(config)
      consumers.push(consumer)
      return consumer
    }
    let found: string[] = []
    const lanes = member({ stuckMs: 1_500 }, async (lane) => {
      if (lane.partition !== firstPartition) return untilAborted(lane.signal)
      found = (await readFirst(lane, 1)).map(text)
      found = (await readFirst(lane, 2)).map(text)
      await untilAborted(lane.signal)
    })
    await send(0, ['before'])
    await vi.waitFor(() => {
      expect(lanes.size).toBe(partitions)
      expect(found).toEqual(['before'])
    }, patience)
    const made = consumers.length // joining may take more than one
    await delay(2_000)
    // Idle is not stuck.
    expect(consumers).toHaveLength(made)
    // kafkajs believes that nobody wants the partition.
    consumers.at(-1)!.pause([{ topic }])
    await send(0, ['after'])
    await vi.waitFor(() => expect(found).toEqual(['before', 'after']), patience)
    expect(consumers.length).toBeGreaterThan(made)
  })

  it('one that was made anew is not taken for stuck by what the old one waited for', async () => {
    const make = common.kafka.consumer.bind(common.kafka)
    let crash = (): void => undefined
    common.kafka.consumer = (config) => {
      const consumer = make(config)
      const { on } = consumer
      consumer.on = ((name: 'consumer.crash', listener: (event: unknown) => void) => {
        if (name === consumer.events.CRASH) crash = () => listener({ payload: { error: new Error('crashed') } })
        return on(name, listener)
      }) as Consumer['on']
      return consumer
    }
    const lanes = member()
    await vi.waitFor(() => expect(lanes.size).toBe(partitions), patience)
    const reset = vi.spyOn(Watchdog.prototype, 'reset')
    cleanups.add(async () => reset.mockRestore())
    crash()
    await vi.waitFor(() => expect(lanes.size).toBe(0), patience)
    await vi.waitFor(() => expect(lanes.size).toBe(partitions), patience)
    expect(reset).toHaveBeenCalled()
  })

  it('a busy lane keeps its place for longer than the session', async () => {
    await send(1, ['a', 'b'])
    const lanes = member()
    await vi.waitFor(() => expect(lanes.size).toBe(partitions), patience)
    const lane = lanes.get(firstPartition + 1)!
    const limits = { maxEvents: 1, maxBytes: 1, waitMs: 10_000 }
    const [record] = await lane.read(0, limits)
    await delay(2 * sessionMs)
    expect(lane.signal.aborted).toBe(false)
    const next = record!.baseOffset + record!.count
    await lane.commit(next)
    expect((await lane.read(next, limits)).map(text)).toEqual(['b'])
  })

  it('one that cannot join goes on trying', async () => {
    const make = common.kafka.consumer.bind(common.kafka)
    let made = 0
    // The cluster refuses so long a session: `run` resolves, and the consumer has crashed.
    common.kafka.consumer = (config) => make({ ...config!, ...(made++ === 0 && { sessionTimeout: 10_000_000 }) })
    const lanes = member()
    await vi.waitFor(() => expect(lanes.size).toBe(partitions), patience)
    expect(made).toBe(2)
  })
})

interface Zombie {
  readonly process: ChildProcess
  readonly lines: string[]
  /** Partitions of which it told this. */
  partitions(what: string): Set<string>
  forget(): void
  kill(): Promise<void>
}

function startZombie(brokers: readonly string[], topic: string, group: string, sessionMs: number): Zombie {
  const script = fileURLToPath(new URL('./zombie.fixture.ts', import.meta.url))
  const args = [script, brokers.join(','), topic, group, String(sessionMs)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  return {
    process: child,
    lines,
    partitions: (what) =>
      new Set(lines.filter((line) => line.startsWith(`${what} `)).map((line) => line.slice(what.length + 1))),
    forget: () => void lines.splice(0),
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
