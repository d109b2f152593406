import type { Participant, Reply, TestRequest } from '../kit/testing/index.ts'
import { hang, postponed, reset, unreachable } from '../kit/testing/index.ts'
import { durationMs } from './duration.ts'
import type { Json } from './json.ts'

/** How one request fares. `arrives`: so many ms later; it may have been given up by then. */
export type Fate =
  | 'answered'
  | 'late'
  | 'answer lost'
  | 'request lost'
  | 'arrives later'
  | 'proxied twice'
  | 'unreachable'
  | 'postponed'
  | 'overloaded'
  | 'fails before'
  | 'fails after'
  | 'unusable'

export interface Effect {
  readonly saga: string
  readonly step: string
  readonly operation: 'do' | 'undo'
  readonly key: string
  /** ms since the epoch. */
  readonly at: number
}

export interface LedgerOptions {
  readonly keyWindow: string
  readonly replaysErrors: boolean
  /** Steps that business refuses. */
  readonly refuses: ReadonlySet<string>
  /** ms since the epoch. */
  now(): number
  fate(): Fate
  /** In [0, 1). */
  fraction(): number
}

/**
 * A participant that does what is asked once for each key, for as long as it knows the key, and forgets the key then. It has no
 * barrier and takes an undo for what it is: what comes in the wrong order, or twice, is seen in its effects.
 */
export class Ledger {
  readonly effects: Effect[] = []
  readonly violations: string[] = []
  readonly #options: LedgerOptions
  readonly #known = new Map<string, { readonly until: number; readonly print: string; readonly reply: Reply }>()
  #flying: { readonly at: number; readonly request: TestRequest }[] = []

  constructor(options: LedgerOptions) {
    this.#options = options
  }

  readonly participant: Participant = (request) => {
    const fate = this.#options.fate()
    this.land()
    if (fate === 'unreachable') return unreachable()
    if (fate === 'postponed') return postponed('20s')
    if (fate === 'overloaded') return { status: 429, headers: { 'retry-after': '3' } }
    if (fate === 'fails before') return { status: 503 }
    if (fate === 'request lost') return hang()
    if (request.lookup) return fate === 'answered' ? this.#lookUp(request) : hang()
    if (fate === 'arrives later' || fate === 'proxied twice') {
      this.#flying.push({ at: this.#options.now() + Math.floor(this.#options.fraction() * timeoutMs), request })
      return fate === 'proxied twice' ? { status: 409 } : reset({ after: '10ms' })
    }
    const reply = this.#receive(request, fate === 'fails after')
    if (fate === 'answer lost') return reset()
    if (fate === 'late') return { ...reply, after: '15s' }
    if (fate === 'unusable' && 'status' in reply && reply.status === 200) return { ...reply, unusable: 'cut off' }
    return fate === 'fails after' ? { status: 500 } : reply
  }

  /** Requests that were under way arrive. */
  land(): void {
    const now = this.#options.now()
    const landed = this.#flying.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at)
    this.#flying = this.#flying.filter(({ at }) => at > now)
    for (const { at, request } of landed) this.#receive(request, false, at)
  }

  /** Of the step, in one direction. */
  count(saga: string, step: string, operation: 'do' | 'undo'): number {
    return this.effects.filter((one) => one.saga === saga && one.step === step && one.operation === operation).length
  }

  /** Nothing of the step is under way. */
  isQuiet(saga: string, step: string): boolean {
    return !this.#flying.some(({ request }) => request.saga === saga && request.step === step)
  }

  #receive(request: TestRequest, fails: boolean, at = this.#options.now()): Reply {
    const { saga, step, operation, idempotencyKey: key } = request
    const print = JSON.stringify([request.method, request.path, request.body])
    const known = this.#known.get(key)
    if (known && known.until >= at) {
      if (known.print !== print) this.violations.push(`${key} came with another payload`)
      return known.reply
    }
    const refused = operation === 'do' && this.#options.refuses.has(step)
    if (!refused) this.effects.push({ saga, step, operation, key, at })
    const done: Reply = refused ? { status: 402 } : { status: 200, body: { n: this.effects.length } as Json }
    const reply: Reply = fails && this.#options.replaysErrors ? { status: 500 } : done
    this.#known.set(key, { until: at + durationMs(this.#options.keyWindow), print, reply })
    return reply
  }

  /** By its books, which it keeps for ever. */
  #lookUp({ idempotencyKey: key }: TestRequest): Reply {
    const n = this.effects.findIndex((one) => one.key === key)
    return n < 0 ? { status: 404 } : { status: 200, body: { n: n + 1 } }
  }
}

/** Of the participant: no request is under way for longer. */
const timeoutMs = 10_000
