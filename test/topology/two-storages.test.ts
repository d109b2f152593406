import { expect, it } from 'vitest'
import { type Fleet, startFleet } from '../support/fleet.ts'
import { describeWithKafka, kafkaOfSuite } from '../support/kafka/suite.ts'
import { poll } from '../system/lives.fixture.ts'

/* The partitions of a log are shared by two storage processes, and an event that is sent again with another subject may come to the other one. */

const total = 400

function ask(fleet: Fleet, url: string, type: string, body: string): Promise<Response> {
  const headers = { authorization: `Bearer ${fleet.adminKey}`, 'content-type': type }
  return fetch(url, { method: 'POST', headers, body })
}

/** Each with a subject of its own, so in any partition. */
async function send(fleet: Fleet, subject: string): Promise<void> {
  const lines = Array.from(
    { length: total },
    (_, i) => `{"id":"${i}","source":"/s","type":"t","subject":"${subject}-${i}","time":"2026-01-01T00:00:00Z"}`,
  )
  const url = `${fleet.urlFor('ingest')}/v1/events?wait=stored`
  expect((await ask(fleet, url, 'application/x-ndjson', lines.join('\n'))).status).toBe(200)
}

async function stored(fleet: Fleet): Promise<unknown> {
  const body = JSON.stringify({ measures: [{ fn: 'count', as: 'n' }] })
  const response = await ask(fleet, `${fleet.urlFor('query')}/v1/query`, 'application/json', body)
  return ((await response.json()) as { rows: unknown[] }).rows[0]
}

/** Keys that each storage process knows. */
const known = (fleet: Fleet): Promise<number[]> =>
  Promise.all(
    fleet.urlsFor('storage').map(async (url) => {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(/^splitstream_storage_seen_keys (\d+)$/m.exec(text)?.[1])
    }),
  )

describeWithKafka('two storage processes', () => {
  const kafka = kafkaOfSuite()

  it('store an event once that is sent again with another subject', async () => {
    await using fleet = await startFleet({
      processes: [
        { name: 'front', modules: ['ingest', 'query'] },
        { name: 'one', modules: ['storage'] },
        { name: 'other', modules: ['storage'] },
      ],
      events: { brokers: kafka.brokers },
      env: { LOG_PARTITIONS: '4' },
      readyTimeoutMs: 100_000,
    })
    kafka.topics.push(fleet.topic)
    await send(fleet, 'first')
    const all = async () => ((await known(fleet)).every((keys) => keys === total) ? true : undefined)
    await poll(all)
    await send(fleet, 'second')
    expect(await stored(fleet)).toEqual({ n: total })
  }, 180_000)
})
