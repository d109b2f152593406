import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { LiveReader } from './live-reader.ts'
import { event, type Receipt, type Story, source } from './story.ts'

const subjects = Array.from({ length: 4 }, (_, i) => `traffic-${i}`)
const perBatch = 5
const ndjson = 'application/x-ndjson'
/** Between the requests of a client, ms: the processes need the cores to come back. */
const pauseMs = 10

/**
 * Every process goes and comes back while clients write and read, and send again until they are answered with 2xx. Then they
 * send all of it once more. In the end exactly the acknowledged events are there, each once.
 */
export async function restarts(story: Story): Promise<void> {
  await restartsUnder(story)
  await exactlyTheAcknowledged(story)
}

/** The same with one who reads the live stream all the while, and in the end has seen exactly what was acknowledged, each once. */
export async function restartsLive(story: Story): Promise<void> {
  const reader = await LiveReader.begin(story, 'live-0')
  const before = new Set(story.acknowledged)
  let over = false
  const wanted = (): number => story.acknowledged.size - before.size
  const reading = reader.persist(() => over && reader.seen.length >= wanted())
  const restarted = restartsUnder(story).finally(() => {
    over = true
  })
  await Promise.all([restarted, reading])
  expect(reader.seen.toSorted()).toEqual([...story.acknowledged].filter((id) => !before.has(id)).sort())
  await exactlyTheAcknowledged(story)
}

async function restartsUnder(story: Story): Promise<void> {
  let over = false
  const isOver = (): boolean => over
  const sent: string[] = []
  const clients = [
    write(story, 'plain', '', sent, isOver),
    write(story, 'stored', '?wait=stored', sent, isOver),
    read(story, isOver),
  ]
  const restarted = story.place.restartAll().finally(() => {
    over = true
  })
  await Promise.all([restarted, ...clients])
  // Whoever stores a partition now has to know what others stored of it.
  for (let i = 0; i < sent.length; i += 100) {
    const body = sent.slice(i, i + 100).join('\n')
    await story.ingest.persist('POST', '/v1/events', { body, type: ndjson })
  }
  await settle(story)
}

async function write(
  { ingest, acknowledged }: Story,
  name: string,
  query: string,
  sent: string[],
  isOver: () => boolean,
): Promise<void> {
  for (let n = 0; !isOver(); n++) {
    const ids = Array.from({ length: perBatch }, (_, i) => `${name}-${n}-${i}`)
    const body = ids.map((id) => event(id, { subject: subjects[n % subjects.length], data: { n } })).join('\n')
    const { json } = await ingest.persist<Receipt>('POST', `/v1/events${query}`, { body, type: ndjson })
    expect(json.accepted).toBe(perBatch)
    for (const id of ids) acknowledged.add(id)
    sent.push(body)
    await delay(pauseMs)
  }
}

/** What was there before stays there. */
async function read({ query }: Story, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const { json } = await query.persist<{ events: unknown[] }>('GET', `/v1/events?source=${source}&type=order`)
    expect(json.events).toHaveLength(6)
    await delay(pauseMs)
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
