import { expect } from 'vitest'
import { event, type Receipt, type Story, source } from './story.ts'

const subjects = Array.from({ length: 4 }, (_, i) => `traffic-${i}`)
const perBatch = 5

/**
 * Every process goes and comes back while clients write and read, and send again until they are answered with 2xx. In the end
 * exactly the acknowledged events are there, each once.
 */
export async function restarts(story: Story): Promise<void> {
  let over = false
  const isOver = (): boolean => over
  const clients = [
    write(story, 'plain', '', isOver),
    write(story, 'stored', '?wait=stored', isOver),
    read(story, isOver),
  ]
  const restarted = story.place.restartAll().finally(() => {
    over = true
  })
  await Promise.all([restarted, ...clients])
  await settle(story)
  await exactlyTheAcknowledged(story)
}

async function write(story: Story, name: string, query: string, isOver: () => boolean): Promise<void> {
  for (let n = 0; !isOver(); n++) {
    const ids = Array.from({ length: perBatch }, (_, i) => `${name}-${n}-${i}`)
    const body = ids.map((id) => event(id, { subject: subjects[n % subjects.length], data: { n } })).join('\n')
    const { json } = await story.ingest.persist<Receipt>('POST', `/v1/events${query}`, {
      body,
      type: 'application/x-ndjson',
    })
    expect(json.accepted).toBe(perBatch)
    for (const id of ids) story.acknowledged.add(id)
  }
}

/** What was there before stays there. */
async function read({ query }: Story, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const { json } = await query.persist<{ events: unknown[] }>('GET', `/v1/events?source=${source}&type=order`)
    expect(json.events).toHaveLength(6)
  }
}

/** The order of a subject is kept: when its last event is stored, so is everything before. */
async function settle({ ingest, acknowledged }: Story): Promise<void> {
  for (const subject of subjects) {
    const body = event(`last-${subject}`, { subject })
    for (let status = 0; status !== 200; ) {
      status = (await ingest.persist('POST', '/v1/events?wait=stored', { body })).status
    }
    acknowledged.add(`last-${subject}`)
  }
}

async function exactlyTheAcknowledged({ query, acknowledged }: Story): Promise<void> {
  const stored: string[] = []
  for (let next: string | null = ''; next !== null; ) {
    const cursor: string = next === '' ? '' : `&cursor=${encodeURIComponent(next)}`
    type Page = { events: { id: string }[]; next: string | null }
    const { json } = await query.persist<Page>('GET', `/v1/events?limit=1000${cursor}`)
    stored.push(...json.events.map(({ id }) => id))
    next = json.next
  }
  expect(stored.sort()).toEqual([...acknowledged].sort())
  const measures = [
    { fn: 'count', as: 'n' },
    { fn: 'uniq', field: 'id', as: 'ids' },
  ]
  const counted = await query.persist<{ rows: unknown[] }>('POST', '/v1/query', { body: JSON.stringify({ measures }) })
  expect(counted.json.rows).toEqual([{ n: acknowledged.size, ids: acknowledged.size }])
}
