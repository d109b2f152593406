import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { Engine } from './engine.ts'
import { event, type Receipt, type Story, source } from './story.ts'

const stalledMs = 10_000

/**
 * For a while the engine takes nothing, though nothing is wrong with the events. They are acknowledged all the same, health says
 * what is the matter, and afterwards they are stored, once, behind those of their subject that were there before.
 */
export async function stall(story: Story): Promise<void> {
  const { ingest, query, place, acknowledged } = story
  const engine = new Engine(place.engineUrl)
  const ask = (id: string) => ({ body: event(id, { subject: 'stalled', time: `2026-03-03T12:00:0${id.at(-1)}Z` }) })
  const send = async (id: string, path = '/v1/events'): Promise<Receipt> => {
    const { json } = await ingest.persist<Receipt>('POST', path, ask(id))
    acknowledged.add(id)
    return json
  }
  await send('stall-1', '/v1/events?wait=stored')
  await engine.run('RENAME TABLE events TO events_aside')
  let position: string | null
  try {
    await send('stall-2')
    position = (await send('stall-3')).position
    const until = performance.now() + stalledMs
    while (!(await unwell(place.urls.deadLetters))) {
      expect(performance.now()).toBeLessThan(until)
      await delay(50)
    }
    await send('stall-2') // again, as a client that did not hear the answer
  } finally {
    await engine.run('RENAME TABLE events_aside TO events')
  }
  position ??= (await story.placed('/v1/events', ask('stall-3'))).json.position
  const parameters = new URLSearchParams({ source, subject: 'stalled', after: position! })
  const { json } = await query.persist<{ events: { id: string }[] }>('GET', `/v1/events?${parameters}`)
  expect(json.events.map(({ id }) => id)).toEqual(['stall-3', 'stall-2', 'stall-1'])
}

/** One of them says so. */
async function unwell(urls: readonly string[]): Promise<boolean> {
  for (const url of urls) {
    const { status } = (await (await fetch(`${url}/health`)).json()) as { status: string }
    if (status !== 'ok') return true
  }
  return false
}
