import type { Reply } from '../../../../modules/sagas/kit/participant/index.ts'

interface Remembered {
  readonly request: string
  readonly since: number
  reply: Reply | undefined
}

export interface KeyRules {
  /** ms since its first arrival; for ever when not given. */
  readonly windowMs?: number | undefined
  /** A 5xx is the answer of its key from then on. */
  readonly replaysErrors?: boolean | undefined
  /** Also of a call that still runs. */
  readonly forgetsRunning?: boolean | undefined
}

/** Idempotency-Keys after the IETF's draft: an answer is given again, 409 while it is made, 422 for another payload. */
export class KeyMemory {
  readonly #known = new Map<string, Remembered>()
  readonly #rules: KeyRules

  constructor(rules: KeyRules) {
    this.#rules = rules
  }

  /** What is to be answered without doing anything; undefined: the request is to be carried out, and settled or forgotten. */
  claim(key: string, request: string): Reply | undefined {
    const known = this.#find(key)
    if (!known) {
      this.#known.set(key, { request, since: performance.now(), reply: undefined })
      return undefined
    }
    if (known.request !== request) return { status: 422, body: { code: 'OTHER_PAYLOAD' } }
    return known.reply ?? { status: 409, headers: { 'retry-after': '0' }, body: { code: 'STILL_RUNNING' } }
  }

  settle(key: string, reply: Reply): void {
    const known = this.#known.get(key)
    const kept = reply.status < 500 ? ![409, 425, 429].includes(reply.status) : this.#rules.replaysErrors === true
    if (known && kept) known.reply = reply
    else this.#known.delete(key)
  }

  /** For a lookup: what became of the key. `running`, `unknown`, or its answer. */
  find(key: string): Reply | 'running' | 'unknown' {
    const known = this.#find(key)
    return known ? (known.reply ?? 'running') : 'unknown'
  }

  #find(key: string): Remembered | undefined {
    const known = this.#known.get(key)
    const { windowMs, forgetsRunning } = this.#rules
    if (!known || windowMs === undefined || performance.now() - known.since < windowMs) return known
    if (!known.reply && !forgetsRunning) return known
    this.#known.delete(key)
    return undefined
  }
}
