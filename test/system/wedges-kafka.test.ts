import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectPostgres } from '../../src/engines/postgres/driver.ts'
import { type Fleet, startFleet } from '../support/fleet.ts'
import { type KafkaCluster, startKafka } from '../support/kafka/start.ts'
import { describeWithKafka } from '../support/kafka/suite.ts'
import { startStranger } from './stranger.fixture.ts'
import { inject, watchFor } from './wedges.fixture.ts'

describeWithKafka('readiness of processes that meet over Kafka', () => {
  let cluster: KafkaCluster
  let fleet: Fleet

  beforeAll(async () => {
    cluster = await startKafka()
    fleet = await startFleet({
      processes: [
        { name: 'front', modules: ['ingest', 'query', 'sagas'] },
        { name: 'store', modules: ['storage'] },
      ],
      events: { brokers: cluster.brokers },
      env: { LOG_LEVEL: 'warn', STORAGE_LINGER_MS: '0' },
    })
  }, 300_000)

  afterAll(async () => {
    await fleet?.stop()
    await cluster?.stop()
  })

  const event = async (id: string, query = ''): Promise<void> => {
    const answer = await fetch(`${fleet.process('front').url}/v1/events${query}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${fleet.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ id, source: '/wedges', type: 'wedge' }),
    })
    expect([200, 202]).toContain(answer.status)
  }

  it('turns red for a consumer that was put out of its group and is not let in again', async () => {
    await event('before', '?wait=stored')
    const stranger = await startStranger(cluster.brokers, `${fleet.topic}-storage`)
    const cause = /storage: out of its consumer group for \d+ s: .*protocols are incompatible/
    await inject('no member of its group', fleet.process('store').url, stranger.occupy, { cause })
    await stranger.stop()
    await event('after', '?wait=stored')
  }, 180_000)

  it('turns red for a consumer that stands still, and not while no broker answers', async () => {
    await event('first', '?wait=stored')
    const [front, store] = [fleet.process('front'), fleet.process('store')]
    const admin = connectPostgres({ url: fleet.postgresUrl, applicationName: 'wedges' })
    const wedge = async () => {
      const release = Promise.withResolvers<void>()
      const locked = Promise.withResolvers<void>()
      const done = admin.tx(async (tx) => {
        await tx.query('LOCK TABLE storage.progress IN ACCESS EXCLUSIVE MODE')
        locked.resolve()
        await release.promise
      })
      await locked.promise
      await event('second')
      return async () => {
        release.resolve()
        await done
      }
    }
    const cause = /storage: .*partition \d+ has not moved on for 1\d s; postgres storage: no answer/
    await inject('consumer on Kafka', store.url, wedge, { cause })
    await admin.close()

    if (cluster.kind === 'external') return
    await Promise.all(cluster.nodes.map((node) => node.pause()))
    const sending = setInterval(() => void event(`during-${performance.now()}`).catch(() => undefined), 1_000)
    const red = await Promise.all([watchFor(front.url, 25_000), watchFor(store.url, 25_000)])
    clearInterval(sending)
    const { parts } = (await (await fetch(`${store.url}/health`)).json()) as { parts: Record<string, object> }
    await Promise.all(cluster.nodes.map((node) => node.resume()))
    expect(red).toEqual([[], []])
    expect(parts.log).toMatchObject({ state: 'degraded' })
    expect(await Promise.all([watchFor(front.url, 20_000), watchFor(store.url, 20_000)])).toEqual([[], []])
  }, 180_000)
})
