import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { expect, it } from 'vitest'
import { serverProcesses, signal } from '../chaos/processes.ts'
import { describeWithKafka, kafkaOfSuite } from '../support/kafka/suite.ts'
import { ask, begin, figures, type Life, newDataDir, once, poll, post, send, start } from './lives.fixture.ts'

interface Loss {
  readonly missing: number | null
  readonly first: number
  readonly last: number
  readonly acknowledgedAt: string | null
}

const size = 500
/** Offsets of one record, which holds one request. */
const perRecord = 65_536

describeWithKafka('events that Kafka deletes before they are stored', () => {
  const kafka = kafkaOfSuite()

  function settings(): Record<string, string> {
    const topic = `lost-${randomUUID()}`
    kafka.topics.push(topic)
    const place = { LINK_EVENTS: `kafka://${kafka.brokers.join(',')}`, KAFKA_TOPIC: topic, LOG_PARTITIONS: '1' }
    return { ...place, KAFKA_COMPRESSION: 'none' }
  }

  /** Moves the beginning of the log on to `to` records, or to its end, as Kafka does with what is old. */
  async function deleteRecords(topic: string, to?: number): Promise<number> {
    const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    try {
      const [own] = await admin.fetchTopicOffsets(topic)
      const offset = to ?? Number(own!.high)
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] })
      return offset
    } finally {
      await admin.disconnect()
    }
  }

  const lossesOf = async (url: string): Promise<Loss[]> =>
    ((await (await ask(url, 'GET', '/v1/losses')).json()) as { losses: Loss[] }).losses

  /** Why the process is not ready. */
  const untilLost = ({ url }: Pick<Life, 'url'>): Promise<string> =>
    poll(
      async () => {
        const { parts } = (await (await ask(url, 'GET', '/health')).json()) as {
          parts: { storage: { state: string; reason?: string } }
        }
        const { state, reason } = parts.storage
        return state === 'down' && reason?.includes('before they were stored') ? reason : undefined
      },
      { withinMs: 60_000 },
    )

  const metric = async (url: string): Promise<number> => {
    const text = await (await ask(url, 'GET', '/metrics')).text()
    return Number(/^splitstream_storage_losses{splitstream_loss="log_ranges"} (\S+)$/m.exec(text)?.[1])
  }

  /** Events posted as `records` requests, one each, that are not there: of those below `end`, exactly the ones in the losses. */
  async function checkLedger(url: string, end: number): Promise<void> {
    const lost = (await lossesOf(url)).reduce((sum, { first, last }) => {
      return sum + Math.floor(last / perRecord) - Math.ceil(first / perRecord) + 1
    }, 0)
    expect(lost).toBeGreaterThan(0)
    const { n, ids } = await figures(url)
    expect([n, ids]).toEqual([end - lost * size, end - lost * size])
  }

  it('are on record after a start, with their range, until an operator acknowledges it', async () => {
    const env = settings()
    const dir = await newDataDir()
    const first = await start(dir, env)
    await send(first.url, 0, size)
    signal(serverProcesses(dir).clickhouse!.pid, 'SIGSTOP') // what comes now is not stored
    for (let i = 1; i < 8; i++) expect((await post(first.url, i * size, size, { query: '' })).status).toBe(202)
    await delay(1_000) // the first of them is on record as pending
    first.kill('SIGKILL')
    await first.stop()
    await poll(async () => (serverProcesses(dir).all.length === 0 ? true : undefined))
    await deleteRecords(env.KAFKA_TOPIC!, 6)

    const second = await begin(dir, env)
    expect(await untilLost(second)).toMatch(/^\d ranges of accepted events were deleted from the log/)
    const losses = await lossesOf(second.url)
    expect(losses.map(({ missing, acknowledgedAt }) => [missing, acknowledgedAt])).toEqual(
      losses.map(() => [null, null]),
    )
    expect(await metric(second.url)).toBe(losses.length)
    // From the first record that was not stored to the last one that is gone.
    expect(Math.min(...losses.map((loss) => loss.first))).toBeLessThanOrEqual(perRecord)
    expect(Math.max(...losses.map((loss) => loss.last))).toBe(5 * perRecord)
    // What is left is stored, and what is sent again.
    await poll(async () => ((await figures(second.url)).n === 3 * size ? true : undefined), { withinMs: 30_000 })
    await send(second.url, size, 5 * size)
    expect(await figures(second.url)).toEqual(once(0, 8 * size))

    const answer = await ask(second.url, 'POST', '/v1/losses/acknowledge')
    expect(await answer.json()).toEqual({ acknowledgedEvents: 0, acknowledgedRanges: losses.length })
    const server = await second.ready
    await server.stop()
    const third = await start(dir, env)
    expect((await lossesOf(third.url)).every(({ acknowledgedAt }) => acknowledgedAt !== null)).toBe(true)
    expect(await figures(third.url)).toEqual(once(0, 8 * size))
  }, 180_000)

  it('are on record while it runs, and what was read before they were gone is stored', async () => {
    const env = settings()
    const dir = await newDataDir()
    const server = await start(dir, env)
    await send(server.url, 0, size)
    const engine = serverProcesses(dir).clickhouse!.pid
    signal(engine, 'SIGSTOP')
    // More than what is read ahead.
    for (let i = 1; i < 60; i++) {
      expect((await post(server.url, i * size, size, { query: '', pad: 2_000 })).status).toBe(202)
    }
    await deleteRecords(env.KAFKA_TOPIC!)
    signal(engine, 'SIGCONT')
    await untilLost(server)
    expect(await metric(server.url)).toBeGreaterThan(0)
    await send(server.url, 60 * size, size)
    await checkLedger(server.url, 61 * size)
    expect(server.output()).toContain('Kafka has deleted records before the group read them')
    expect(server.output()).not.toContain('is made anew')
  }, 180_000)
})
