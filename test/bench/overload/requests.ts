import { postBytes } from '../connection.ts'
import { batchBody } from '../payload.ts'
import type { Load } from './job.ts'

const digits = 5

/**
 * A request whose events get new ids and the time of now each time that it is sent, by overwriting a few bytes: five load
 * generators' worth of distinct events cannot be built ahead, and the load must cost little beside the server. With the
 * times of the first request, storage would take millions of events for old ones and look for each in the table.
 */
export class Template {
  readonly #bytes: Buffer
  /** Where the first digits of the ids are: the last two tell the events of a request apart. */
  readonly #places: readonly number[]
  readonly #times: readonly number[]

  constructor({ key, tag, events }: Load) {
    const body = batchBody({ tag, fromMs: Date.now() }, 0, events)
    this.#bytes = postBytes(key, 'application/x-ndjson', body)
    this.#places = placesAfter(this.#bytes, `"id":"${tag}`)
    this.#times = placesAfter(this.#bytes, '"time":"')
    for (const { length } of [this.#places, this.#times])
      if (length !== events) throw new Error(`${length} places in ${events} events`)
  }

  /** Valid until the next call. */
  next(n: number): Buffer {
    const text = n.toString(36).padStart(digits, '0')
    for (const place of this.#places) this.#bytes.write(text, place, 'latin1')
    // Up to its milliseconds; the digits after them stay, and tell the events of a request apart.
    const now = new Date().toISOString().slice(0, -1)
    for (const place of this.#times) this.#bytes.write(now, place, 'latin1')
    return this.#bytes
  }
}

/** Where the bytes that follow each occurrence of the text begin. */
function placesAfter(bytes: Buffer, text: string): number[] {
  const places: number[] = []
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) places.push(at + text.length)
  return places
}
