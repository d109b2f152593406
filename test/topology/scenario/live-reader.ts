import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { event, type Story, source } from './story.ts'

/** For the first answer, and for all events to come while everything is restarted, ms. */
const [beginMs, comeMs] = [20_000, 100_000]

/** Reads the live stream of an installation, leaves, and comes back at another address with what it was sent last. */
export class LiveReader {
  /** Ids of all events that came. */
  readonly seen: string[] = []
  /** How often it came back. */
  resumed = 0
  readonly #story: Story
  readonly #parameters: string
  #last: string | undefined

  private constructor(story: Story, after: string, parameters: Readonly<Record<string, string>>) {
    this.#story = story
    this.#parameters = new URLSearchParams({ source, after, ...parameters }).toString()
  }

  /** Of what comes from now on. `id` is that of an event which is sent for it. */
  static async begin(story: Story, id: string, parameters: Readonly<Record<string, string>> = {}): Promise<LiveReader> {
    const { json } = await story.placed('/v1/events?wait=stored', { body: event(id) })
    story.acknowledged.add(id)
    const reader = new LiveReader(story, json.position!, parameters)
    // The position is of one partition: of the others, what was there before this does not count.
    await reader.take(0, AbortSignal.timeout(beginMs))
    return reader
  }

  /**
   * Reads until `count` more events were seen, or the stream ends, then leaves. @throws Error or AssertionError when it does not
   * begin or is cut
   */
  async take(count: number, signal: AbortSignal): Promise<void> {
    const leave = new AbortController()
    try {
      const headers: Record<string, string> = this.#last === undefined ? {} : { 'last-event-id': this.#last }
      const path = `/v1/events/stream?${this.#parameters}`
      const answer = await this.#story.query.open(path, headers, AbortSignal.any([signal, leave.signal]))
      expect(answer.status).toBe(200)
      if (this.#last !== undefined) this.resumed++
      let rest = ''
      for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
        const blocks = (rest + chunk).split('\n\n')
        rest = blocks.pop()!
        for (const block of blocks) {
          const data = /^data: (.*)$/m.exec(block)?.[1]
          if (data !== undefined && !block.includes('event: ')) {
            this.seen.push((JSON.parse(data) as { id: string }).id)
            count--
          }
          this.#last = /^id: (.*)$/m.exec(block)?.[1] ?? this.#last
          if (count <= 0 && this.#last !== undefined) return
        }
      }
    } finally {
      leave.abort()
    }
  }

  /**
   * Reads on, and comes back whatever happens to the connection, until it has seen `enough`. @throws Error when that does not come to be
   */
  async persist(enough: () => boolean): Promise<void> {
    const end = new AbortController()
    const until = performance.now() + comeMs
    const looking = setInterval(() => (enough() || performance.now() > until) && end.abort(), 100)
    let why = ''
    while (!end.signal.aborted) {
      await this.take(1_000, end.signal).catch((error: unknown) => {
        why = String(error)
      })
      await delay(50)
    }
    clearInterval(looking)
    if (!enough()) throw new Error(`only ${this.seen.length} events came: ${why}`)
  }
}
