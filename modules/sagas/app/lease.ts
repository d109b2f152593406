import { type Clock, codeOf, type Logger, messageOf, type Postgres } from '@splitstream/kernel'
import { freeWorker, registerWorker, renewWorker } from '../adapters/workers.ts'

/** A dead worker's sagas go on elsewhere after this and one look of the others, ms. */
const ttlMs = 3_000
const renewMs = 600
/** How often the holder looks whether its own lease has run out, ms. */
const watchMs = 100

/** One lease, from the registration to its loss. */
export interface Term {
  readonly worker: number
  /** Fencing number of the sagas that are started under it. */
  readonly fence: string
  /** Aborted when the lease is lost or given up: whatever is on its way in its name has to end. */
  readonly signal: AbortSignal
}

/**
 * The worker's lease: a row in Postgres that has to be renewed. The database's clock alone decides about its end; the holder
 * counts from the moment in which it asked, by its monotonic clock, so it stops believing in it before others may stop. A
 * worker that stood still and wakes up finds its lease over before it does anything; and what it still writes names a fencing
 * number that the rows no longer have (Kleppmann, How to do distributed locking, 2016).
 */
export class Lease {
  readonly #postgres: Postgres
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #name: string
  readonly #onTerm: (term: Term) => void
  #term: (Term & { readonly abort: AbortController }) | undefined
  /** Monotonic instant up to which the lease is certain. */
  #until = 0
  /** Database clock minus monotonic clock, ms. */
  #offset = 0
  readonly #stop = new AbortController()
  #renewing: Promise<void> | undefined
  #watch: NodeJS.Timeout | undefined

  constructor(o: { postgres: Postgres; clock: Clock; logger: Logger; name: string; onTerm(term: Term): void }) {
    this.#postgres = o.postgres
    this.#clock = o.clock
    this.#logger = o.logger
    this.#name = o.name
    this.#onTerm = o.onTerm
  }

  /** Resolves with the first lease. @throws AppError when Postgres does not give one */
  async start(): Promise<void> {
    await this.#register()
    this.#renewing = this.#renew()
    this.#watch = setInterval(() => this.current(), watchMs)
    this.#watch.unref()
  }

  /** The lease, while it certainly holds. */
  current(): Term | undefined {
    if (this.#term && this.#clock.monotonic() >= this.#until) this.#lose('it could not be renewed in time')
    return this.#term
  }

  /** The database's clock, ms since the epoch, as of the last renewal and the time since then. */
  now(): number {
    return this.#clock.monotonic() + this.#offset
  }

  /** Gives the lease up, and frees what is still held under it. */
  async stop(): Promise<void> {
    this.#stop.abort()
    clearInterval(this.#watch)
    await this.#renewing
    const term = this.#term
    this.#lose('the worker stops')
    if (term) {
      await freeWorker(this.#postgres, term.worker).catch((error: unknown) => {
        this.#logger.warn('sagas could not be given free; others take them over when the lease expires', {
          error: messageOf(error),
        })
      })
    }
  }

  async #register(): Promise<void> {
    const asked = this.#clock.monotonic()
    const { id, fence, now } = await registerWorker(this.#postgres, this.#name, ttlMs)
    const abort = new AbortController()
    this.#held(asked, now)
    this.#term = { worker: id, fence, signal: abort.signal, abort }
    this.#onTerm(this.#term)
  }

  async #renew(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#clock.sleep(renewMs, this.#stop.signal).catch(() => undefined)
      if (this.#stop.signal.aborted) return
      try {
        const term = this.current()
        if (!term) await this.#register()
        else {
          const asked = this.#clock.monotonic()
          this.#held(asked, await renewWorker(this.#postgres, term.worker, ttlMs))
        }
      } catch (error) {
        if (codeOf(error) === 'CONFLICT') this.#lose('another worker declared this one dead')
        else this.#logger.warn('the lease of the saga worker is not renewed', { error: messageOf(error) })
      }
    }
  }

  #held(asked: number, now: number): void {
    this.#until = asked + ttlMs
    this.#offset = now - this.#clock.monotonic()
  }

  #lose(why: string): void {
    const term = this.#term
    if (!term) return
    this.#term = undefined
    if (!this.#stop.signal.aborted) this.#logger.warn('the lease of the saga worker is lost', { why })
    term.abort.abort()
  }
}
