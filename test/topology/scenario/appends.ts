import { expect } from 'vitest'
import type { Ask } from './client.ts'
import { event, outcome, type Receipt, type Story, source } from './story.ts'

const ndjson = 'application/x-ndjson'
const cities = ['Ghent', 'Lyon', 'Porto']
const days = ['2026-03-01', '2026-03-02']

/** Numbers 1 to 12: three cities, two days, four subjects (so several partitions). */
export const numbered = Array.from({ length: 12 }, (_, i) =>
  event(`n-${i + 1}`, {
    subject: `customer-${i % 4}`,
    type: i % 2 === 0 ? 'order' : 'refund',
    time: `${days[i % 2]}T12:00:${String(i).padStart(2, '0')}Z`,
    data: { n: i + 1, city: cities[i % 3] },
  }),
)

/** Each form of an append, each outcome, and retries. Only what was acknowledged is there, once. */
export async function appends(story: Story): Promise<void> {
  const { ingest, query, acknowledged } = story
  const send = async (what: string, path: string, ask: Ask): Promise<Receipt> => {
    const { status, json } = await story.placed(path, ask)
    story.tell(what, [status, status < 300 ? outcome(json) : json])
    return json
  }
  const ids = async (after = ''): Promise<string[]> => {
    const parameters = new URLSearchParams({ source, limit: '1000', ...(after !== '' && { after }) })
    const { status, json } = await query.ask<{ events: { id: string }[] }>('GET', `/v1/events?${parameters}`)
    expect(status).toBe(200)
    return json.events.map(({ id }) => id).sort()
  }
  const acknowledge = (...more: string[]): string[] => {
    for (const id of more) acknowledged.add(id)
    return [...acknowledged].sort()
  }

  const batch = { body: numbered.join('\n'), type: ndjson }
  await send('NDJSON, stored', '/v1/events?wait=stored', batch)
  expect(await ids()).toEqual(acknowledge(...numbered.map((_, i) => `n-${i + 1}`)))

  const structured = { body: event('structured', { data: 'text' }), type: 'application/cloudevents+json' }
  const { position } = await send('structured', '/v1/events', structured)
  expect(await ids(position!)).toEqual(acknowledge('structured'))

  const twins = { body: `[${event('twin')},${event('twin')}]` }
  await send('an event twice in a request', '/v1/events?wait=stored', twins)
  await send('NDJSON again', '/v1/events?wait=stored', batch)
  await send('structured again', '/v1/events?wait=stored', structured)
  expect(await ids()).toEqual(acknowledge('twin'))

  const mixed = { body: [event('good-1'), '{"id":"bad"}', 'no JSON', event('good-2')].join('\n'), type: ndjson }
  const refused = await ingest.ask<{ code: string }>('POST', '/v1/events?mode=strict', mixed)
  story.tell('strict', [refused.status, refused.json.code])
  expect(refused).toMatchObject({ status: 422, json: { code: 'BATCH_REFUSED' } })
  await send('after a refusal', '/v1/events?wait=stored', { body: event('witness') })
  expect(await ids()).toEqual(acknowledge('witness'))
  await send('partial', '/v1/events?mode=partial&wait=stored', mixed)
  expect(await ids()).toEqual(acknowledge('good-1', 'good-2'))
}
