import { postBytes } from '../connection.ts'
import { batchBody } from '../payload.ts'
import type { Load } from './job.ts'

const digits = 5

/**
 * A request whose events get new ids each time that it is sent, by overwriting a few bytes: five load generators' worth of
 * distinct events cannot be built ahead, and the load must cost little beside the server.
 */
export class Template {
  readonly #bytes: Buffer
  /** Where the first digits of the ids are: the last two tell the events of a request apart. */
  readonly #places: number[] = []

  constructor({ key, tag, events }: Load) {
    const body = batchBody({ tag, fromMs: Date.now() }, 0, events)
    this.#bytes = postBytes(key, 'application/x-ndjson', body)
    const id = Buffer.from(`"id":"${tag}`)
    for (let at = this.#bytes.indexOf(id); at >= 0; at = this.#bytes.indexOf(id, at + 1))
      this.#places.push(at + id.length)
    if (this.#places.length !== events) throw new Error(`${this.#places.length} ids in ${events} events`)
  }

  /** Valid until the next call. */
  next(n: number): Buffer {
    const text = n.toString(36).padStart(digits, '0')
    for (const place of this.#places) this.#bytes.write(text, place, 'latin1')
    return this.#bytes
  }
}
