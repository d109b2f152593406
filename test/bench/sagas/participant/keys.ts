export interface Answer {
  readonly status: number
  /** JSON. */
  readonly body: string
}

/** An Idempotency-Key as the participant remembers it; without an answer its first request still runs. */
interface Remembered {
  readonly request: string
  answer?: Answer
}

const running: Answer = { status: 409, body: '{"code":"STILL_RUNNING"}' }
const reused: Answer = { status: 422, body: '{"code":"KEY_REUSED"}' }

/** Idempotency-Keys after the IETF's draft: an answer is given again, 409 while it is made, 422 for another payload. */
export class Keys {
  readonly #known = new Map<string, Remembered>()
  /** Requests that got an answer again. */
  replays = 0

  /** The answer that the key has already, or undefined: then the request is to be carried out. */
  claim(key: string, request: string): Answer | undefined {
    const known = this.#known.get(key)
    if (!known) {
      this.#known.set(key, { request })
      return undefined
    }
    if (known.request !== request) return reused
    if (!known.answer) return running
    this.replays++
    return known.answer
  }

  settle(key: string, answer: Answer): void {
    const known = this.#known.get(key)
    if (known) known.answer = answer
  }

  /** As if the request had never come. */
  forget(key: string): void {
    this.#known.delete(key)
  }
}
