import {
  type Call,
  codeOf,
  covers,
  decodePosition,
  type ErrorCode,
  type Metrics,
  messageOf,
  type RouteResponse,
} from '@splitstream/kernel'
import { LRUCache } from 'lru-cache'

export interface StaleLimits {
  /** Memory for answers, bytes; 0 keeps none. */
  readonly maxBytes: number
  /** An older answer is not given, ms. */
  readonly maxAgeMs: number
}

export interface StaleDeps {
  readonly metrics: Metrics
  /** Monotonic, ms. */
  now(): number
}

/** What an answer is to: tenants never share one. `request` is what it depends on, as parsed, without `after`. */
export interface Question {
  readonly kind: string
  readonly request: unknown
  /** The position that the answer has to cover. */
  readonly after: string | undefined
  readonly call: Call
}

interface Kept {
  readonly bytes: Buffer
  readonly position: string
  readonly at: number
}

/** Beside the bytes of an answer and its key, about. */
const overheadBytes = 300

/**
 * The answers of late, in case that storage cannot give one: then the last one to the same question is given, with its age
 * (`Age`, s), its own position, and `Splitstream-Degraded: stale` with the reason. Each process has its own.
 */
export class StaleAnswers {
  readonly #kept: LRUCache<string, Kept> | undefined
  readonly #limits: StaleLimits
  readonly #now: () => number
  readonly #served: ReturnType<Metrics['counter']>

  constructor(limits: StaleLimits, { metrics, now }: StaleDeps) {
    this.#limits = limits
    this.#now = now
    const { maxBytes } = limits
    // One answer may not drive out most of the others.
    if (maxBytes > 0) this.#kept = new LRUCache({ maxSize: maxBytes, maxEntrySize: Math.ceil(maxBytes / 8) })
    metrics.gauge(
      'splitstream.query.kept',
      'Bytes of answers that are kept',
      () => this.#kept?.calculatedSize ?? 0,
      'By',
    )
    this.#served = metrics.counter('splitstream.query.stale', 'Answers that were given though they were stale')
  }

  /**
   * The answer as `ask` gives it, or an earlier one when it cannot.
   * @throws what `ask` throws: when the question itself is to blame, or when there is no answer that would do
   */
  async answer(question: Question, ask: () => Promise<{ readonly position: string }>): Promise<RouteResponse> {
    const kept = this.#kept
    if (!kept) return { status: 200, json: await ask() }
    const key = keyOf(question)
    let fresh: { readonly position: string }
    try {
      fresh = await ask()
    } catch (error) {
      const stale = cannotAnswer.has(codeOf(error)) ? this.#find(kept, key, question.after) : undefined
      if (!stale) throw error
      this.#served.add(1)
      return response(stale.bytes, {
        Age: String(Math.floor((this.#now() - stale.at) / 1_000)),
        'Splitstream-Degraded': `stale; reason="${quotable(messageOf(error))}"`,
      })
    }
    const bytes = Buffer.from(JSON.stringify(fresh))
    const size = bytes.length + key.length * 2 + overheadBytes
    kept.set(key, { bytes, position: fresh.position, at: this.#now() }, { size })
    return response(bytes)
  }

  #find(kept: LRUCache<string, Kept>, key: string, after: string | undefined): Kept | undefined {
    const found = kept.get(key)
    if (!found) return undefined
    if (this.#now() - found.at > this.#limits.maxAgeMs) {
      kept.delete(key)
      return undefined
    }
    const enough = after === undefined || covers(decodePosition(found.position), decodePosition(after))
    return enough ? found : undefined
  }
}

/** Storage, or what it needs, is away, sick, starting or full. A question that takes too long, or costs too much, is not among them. */
const cannotAnswer: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'UNKNOWN_OUTCOME', 'OVERLOADED', 'STOPPING'])

const keyOf = ({ kind, request, call }: Question): string => JSON.stringify([call.tenant, kind, request])

const response = (bytes: Buffer, headers: Readonly<Record<string, string>> = {}): RouteResponse => ({
  status: 200,
  headers: { 'Content-Type': 'application/json', ...headers },
  bytes,
})

/** Within the quotes of a structured header (RFC 9651, 3.3.3). */
const quotable = (text: string): string => text.replace(/[^ -~]/g, '?').replace(/[\\"]/g, '\\$&')
