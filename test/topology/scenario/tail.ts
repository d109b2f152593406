import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { LiveReader } from './live-reader.ts'
import { event, type Story } from './story.ts'

const subjects = Array.from({ length: 4 }, (_, i) => `tail-${i}`)
const perSubject = 30
const comeMs = 30_000

/**
 * A live stream of what is written meanwhile. Its reader leaves after some events and comes back, again and again: it sees each event
 * once, and those of a subject in their order.
 */
export async function tail(story: Story): Promise<void> {
  const { ingest, acknowledged } = story
  const reader = await LiveReader.begin(story, 'tail-0', { type: 'tail' })
  const writing = (async () => {
    for (let n = 0; n < perSubject; n++) {
      const events = subjects.map((subject) => event(`${subject}-${n}`, { subject, type: 'tail', data: { n } }))
      await ingest.persist('POST', '/v1/events', { body: events.join('\n'), type: 'application/x-ndjson' })
      for (const subject of subjects) acknowledged.add(`${subject}-${n}`)
      await delay(20)
    }
  })()
  const wanted = subjects.length * perSubject
  const signal = AbortSignal.timeout(comeMs)
  for (let leaves = 1; reader.seen.length < wanted; leaves++) {
    await reader.take(Math.min(leaves * 3, 40, wanted - reader.seen.length), signal)
  }
  await writing
  for (const subject of subjects) {
    const ofSubject = reader.seen.filter((id) => id.startsWith(`${subject}-`))
    expect(ofSubject).toEqual(Array.from({ length: perSubject }, (_, n) => `${subject}-${n}`))
  }
  expect(reader.resumed).toBeGreaterThan(3)
  story.tell('live', new Set(reader.seen).size)
  const { status } = await story.query.ask('GET', '/v1/events/stream?where=n')
  story.tell('live, not a condition', status)
}
