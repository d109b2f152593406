import { performance } from 'node:perf_hooks'
import { AppError, type Clock, type Metrics, type Scope, systemRandom, turns } from '@splitstream/kernel'

/** All that is long for this time without a pause is a queue, and no burst, ms. */
const intervalMs = 500
/** Shedding goes on for so long after the last long turn, ms: an overload that comes and goes is one. */
const calmMs = 2_000
/** A loop that is idle for more than the rest of it has no queue: a few of its turns are long because requests are large. */
const busyShare = 0.9
/** Most of what is added to a second of Retry-After at random, s. */
const maxSpreadS = 10

/** Time that the event loop was busy and idle, since ever, ms. */
export interface LoopClocks {
  readonly active: number
  readonly idle: number
}

export interface LoadShedderOptions {
  readonly clock: Clock
  /** How long requests may wait for the event loop while it cannot keep up, ms. 0: any time. */
  readonly delayMs: number
  readonly metrics: Metrics
  /** How long a client that is refused cannot come back anyway, ms. */
  readonly restMs?: () => number
  /** Told twice a second which part of the time refusals took. */
  readonly onRefusalShare?: (share: number) => void
  /** For tests. */
  readonly loop?: () => LoopClocks
  /** For tests. */
  readonly pieces?: () => number
  /** In [0, 1); for tests. */
  readonly random?: () => number
}

/**
 * Admission by event-loop delay. Node hands out all requests that have arrived in one turn of its event loop, one after the other,
 * so a request that is looked at 80 ms after the turn began has waited for 80 ms, and there is no other queue. As CoDel
 * does, and for its reason, this tells a queue that stands from a burst by the shortest delay of a while: only when no turn
 * was shorter than `delayMs` for half a second, while the loop was never idle, requests are refused that have waited longer.
 * So each turn works for `delayMs` and refuses the rest, which costs little (and does not count), and the throughput stays that
 * of a busy process.
 *
 * Who is refused: queries after half of the time, as they can be asked again and events cannot; a tenant the sooner the
 * more of the turn's requests are its own (alone after `delayMs`, a rare one after up to twice that); what operators and
 * health checks ask, never.
 *
 *   calm → (no short turn for 500 ms, loop busy) → shedding → (no long turn of a busy loop for 2 s) → calm
 */
export class LoadShedder {
  readonly #clock: Clock
  #delayMs: number
  readonly #loop: NonNullable<LoadShedderOptions['loop']>
  /** What other work took in its pieces since ever, ms: no request is charged with it. */
  readonly #pieces: () => number
  #piecesBefore = 0
  readonly #restMs: () => number
  readonly #random: () => number
  readonly #onRefusalShare: (share: number) => void
  readonly #shed: ReturnType<Metrics['counter']>
  /** Of this turn. */
  #began = -1
  /** Since when no turn was short. */
  #longSince = -1
  /** The loop's clocks, 500 to 1,000 ms ago, and later. */
  #before: LoopClocks
  #later: LoopClocks
  #laterAt = Number.NEGATIVE_INFINITY
  #lastEnd = Number.NEGATIVE_INFINITY
  #sheddingSince = 0
  #sheddingUntil = Number.NEGATIVE_INFINITY
  /** Time of this turn without that of refusals, ms: these must not keep a rare tenant out. */
  #spent = 0
  #looked = 0
  #refusing = false
  /** Time of refusals since `laterAt`, ms. */
  #refused = 0
  /** Admitted in this turn. */
  readonly #byTenant = new Map<string, number>()
  #admitted = 0

  constructor(o: LoadShedderOptions) {
    this.#clock = o.clock
    this.#delayMs = o.delayMs
    this.#loop = o.loop ?? (() => performance.eventLoopUtilization())
    this.#pieces = o.pieces ?? (() => turns.spentMs)
    this.#restMs = o.restMs ?? (() => 0)
    this.#onRefusalShare = o.onRefusalShare ?? (() => {})
    this.#random = o.random ?? systemRandom.fraction
    this.#before = this.#later = this.#loop()
    const help = 'Requests that were refused because they had waited too long for the event loop'
    this.#shed = o.metrics.counter('splitstream.http.shed', help, ['splitstream.scope'], '{request}')
    const told = '1 while requests are refused that wait too long for the event loop'
    o.metrics.gauge('splitstream.http.shedding', told, () => (this.shedding ? 1 : 0), '{overload}')
  }

  get shedding(): boolean {
    return this.#clock.monotonic() < this.#sheddingUntil
  }

  /** How long requests may wait from now on, ms. 0: any time. */
  setDelay(ms: number): void {
    this.#delayMs = ms
  }

  /** To be called before any work for a request. @param now monotonic, ms */
  enter(now: number): void {
    if (this.#delayMs === 0) return
    if (this.#began < 0) {
      this.#began = now
      this.#piecesBefore = this.#pieces()
      this.#spent = 0
      setImmediate(this.#endOfTurn)
    } else {
      this.#account(now)
    }
    this.#looked = now
    this.#refusing = false
  }

  /** The request that was looked at last is refused, for whatever reason. */
  refuses(): void {
    this.#refusing = true
  }

  #account(now: number): void {
    if (this.#refusing) this.#refused += now - this.#looked
    else this.#spent += now - this.#looked
  }

  /**
   * @param now as given to `enter`
   * @param stale it has waited elsewhere, for so long that its client may have given up
   * @throws AppError OVERLOADED when the request has waited for too long
   */
  admit(scope: Scope | 'public', tenant: string, now: number, stale = false): void {
    if (now >= this.#sheddingUntil || scope === 'public' || scope === 'admin') return
    const own = this.#byTenant.get(tenant) ?? 0
    const share = this.#admitted === 0 ? 0 : own / this.#admitted
    const mayWait = (2 * this.#delayMs) / (1 + share)
    if (stale || this.#spent > (scope === 'query' ? mayWait / 2 : mayWait)) {
      this.#shed.add(1, labels[scope])
      throw refusals[this.#spread(now)]
    }
    this.#byTenant.set(tenant, own + 1)
    this.#admitted++
  }

  /** Runs after all that the turn had to hand out, and after a piece of other work. */
  readonly #endOfTurn = (): void => {
    const now = this.#clock.monotonic() - (this.#pieces() - this.#piecesBefore)
    this.#account(now)
    this.#look(now)
    this.#lastEnd = now
    this.#began = -1
    if (this.#admitted > 0) this.#byTenant.clear()
    this.#admitted = 0
  }

  #look(now: number): void {
    // Without requests for a while there is no queue, whatever was before.
    const quiet = this.#began - this.#lastEnd > intervalMs
    const long = now - this.#began >= this.#delayMs
    if (quiet || !long) this.#longSince = -1
    if (now - this.#laterAt >= intervalMs) {
      this.#before = this.#later
      this.#later = this.#loop()
      this.#laterAt = now
      const { active, idle } = this.#before
      const elapsed = this.#later.active - active + this.#later.idle - idle
      this.#onRefusalShare(this.#refused / Math.max(1, elapsed))
      this.#refused = 0
    }
    if (!long) return
    if (this.#longSince < 0) this.#longSince = this.#began
    const shedding = now < this.#sheddingUntil
    if (!(shedding || now - this.#longSince >= intervalMs) || !this.#busy()) return
    if (!shedding) this.#sheddingSince = now
    this.#sheddingUntil = now + calmMs
  }

  #busy(): boolean {
    const { active, idle } = this.#loop()
    const [worked, rested] = [active - this.#before.active, idle - this.#before.idle]
    return worked >= busyShare * (worked + rested)
  }

  /** Clients that come back all at once would be an overload by themselves; the longer it lasts, the more of them there are. */
  #spread(now: number): number {
    const spread = Math.min(maxSpreadS, 1 + (now - this.#sheddingSince) / 2_000)
    const rest = Math.ceil(this.#restMs() / 1_000) - 1
    return Math.max(rest, Math.floor(this.#random() * spread))
  }
}

const labels = {
  ingest: { 'splitstream.scope': 'ingest' },
  query: { 'splitstream.scope': 'query' },
  sagas: { 'splitstream.scope': 'sagas' },
}

/** Made once: the stack of an error costs more than all the rest of a refusal. */
const refusals = Array.from(
  { length: maxSpreadS },
  (_, s) => new AppError('OVERLOADED', 'More requests arrive than can be answered', { retryAfterMs: 1_000 * (s + 1) }),
)
