import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { event, type Receipt, type Story, source } from './story.ts'

const subjects = Array.from({ length: 4 }, (_, i) => `tail-${i}`)
const perSubject = 30
/** For all events to come, ms. */
const comeMs = 30_000

/**
 * A live stream of what is written meanwhile. Its reader leaves after some events and comes back at another address with what it was
 * sent last, again and again: it sees each event once, and those of a subject in their order.
 */
export async function tail(story: Story): Promise<void> {
  const { ingest, acknowledged } = story
  const begin = await ingest.persist<Receipt>('POST', '/v1/events?wait=stored', { body: event('tail-0') })
  acknowledged.add('tail-0')
  const reader = new Reader(story, begin.json.position!)
  // The position is of one partition; what the others have so far does not count.
  await reader.take(0, performance.now() + comeMs)
  const writing = (async () => {
    for (let n = 0; n < perSubject; n++) {
      const events = subjects.map((subject) => event(`${subject}-${n}`, { subject, type: 'tail', data: { n } }))
      await ingest.persist('POST', '/v1/events', { body: events.join('\n'), type: 'application/x-ndjson' })
      for (const subject of subjects) acknowledged.add(`${subject}-${n}`)
      await delay(20)
    }
  })()
  const wanted = subjects.length * perSubject
  const until = performance.now() + comeMs
  for (let leaves = 1; reader.seen.length < wanted; leaves++) {
    expect(performance.now(), `${reader.seen.length} of ${wanted} events came`).toBeLessThan(until)
    await reader.take(Math.min(leaves * 3, 40, wanted - reader.seen.length), until)
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

/** One that leaves and comes back. */
class Reader {
  readonly seen: string[] = []
  resumed = 0
  readonly #story: Story
  readonly #after: string
  #last: string | undefined

  constructor(story: Story, after: string) {
    this.#story = story
    this.#after = after
  }

  /** Reads until `count` more events were seen, or the server ends the stream, then leaves. */
  async take(count: number, until: number): Promise<void> {
    const leave = new AbortController()
    const late = setTimeout(() => leave.abort(), Math.max(0, until - performance.now()))
    const parameters = new URLSearchParams({ source, type: 'tail', after: this.#after })
    try {
      const headers: Record<string, string> = this.#last === undefined ? {} : { 'last-event-id': this.#last }
      const answer = await this.#story.query.open(`/v1/events/stream?${parameters}`, headers, leave.signal)
      expect(answer.status).toBe(200)
      if (this.#last !== undefined) this.resumed++
      let rest = ''
      for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
        const blocks = (rest + chunk).split('\n\n')
        rest = blocks.pop()!
        for (const block of blocks) {
          const data = /^data: (.*)$/m.exec(block)?.[1]
          if (data !== undefined) this.seen.push((JSON.parse(data) as { id: string }).id)
          this.#last = /^id: (.*)$/m.exec(block)?.[1] ?? this.#last
          if (data !== undefined) count--
          if (count <= 0 && this.#last !== undefined) return
        }
      }
    } finally {
      clearTimeout(late)
      leave.abort()
    }
  }
}
