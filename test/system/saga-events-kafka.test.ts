import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type KafkaCluster, startKafka } from '../support/kafka/start.ts'
import { describeWithKafka } from '../support/kafka/suite.ts'
import { deleteTopics } from '../support/kafka/topic.ts'
import { ask, newDataDir, poll, start } from './lives.fixture.ts'

describeWithKafka('events and sagas over Kafka', () => {
  const topic = `sagas-${randomUUID()}`
  let cluster: KafkaCluster

  beforeAll(async () => {
    cluster = await startKafka()
  }, 300_000)
  afterAll(async () => {
    if (cluster?.kind === 'external') await deleteTopics(cluster.brokers, [topic])
    await cluster?.stop()
  })

  it('an event starts one saga, also when the first comes long after the log began and the process is killed', async () => {
    const dir = await newDataDir()
    const env = { LINK_EVENTS: `kafka://${cluster.brokers.join(',')}`, KAFKA_TOPIC: topic, LOG_PARTITIONS: '3' }
    let server = await start(dir, env)
    const post = async (from: number, count: number): Promise<void> => {
      const events = Array.from({ length: count }, (_, i) => {
        const n = from + i
        return { specversion: '1.0', source: `/shop/${n % 7}`, id: `${n}`, type: 'order.placed', data: { n } }
      })
      expect((await ask(server.url, 'POST', '/v1/events?wait=stored', JSON.stringify(events))).status).toBe(200)
    }
    const sagas = async (): Promise<{ id: string; status: string }[]> =>
      (
        (await (await ask(server.url, 'GET', '/v1/sagas?limit=1000')).json()) as {
          sagas: { id: string; status: string }[]
        }
      ).sagas

    // Nobody wants these: they are skipped without being read.
    await post(0, 500)
    const definition = JSON.stringify({
      trigger: { type: 'order.placed' },
      steps: [{ id: 'pause', wait: { for: '1ms' } }],
    })
    expect((await ask(server.url, 'PUT', '/v1/saga-definitions/order', definition)).status).toBe(201)
    await post(1_000, 50)
    await post(1_000, 50)
    server.kill('SIGKILL')
    await server.exited
    server = await start(dir, env)
    await post(1_025, 50)
    await poll(async () => ((await sagas()).length >= 75 ? true : undefined), { withinMs: 60_000 })
    await post(1_000, 75)
    await post(2_000, 1)
    const all = await poll(
      async () => {
        const found = await sagas()
        return found.length > 75 && found.every(({ status }) => status === 'completed') ? found : undefined
      },
      { withinMs: 60_000 },
    )
    expect(all).toHaveLength(76)
  }, 300_000)
})
