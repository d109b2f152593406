import type { Dispatcher, Pool } from 'undici'

/** A tenant's calls may go to this many times the origins that are left for others. */
const greed = 4

/** A place among the origins, for one call. */
export interface OriginPlace {
  readonly dispatcher: Dispatcher
  /** To be called once, when the call is over. */
  give(): void
}

interface Origin {
  readonly pool: Pool
  /** Calls that are on their way to it. */
  calls: number
  /** Of those the first one's: it counts for that tenant until there are none. */
  tenant: string
  usedAt: number
  /** It had no connection yet, or lost one since its connections were counted: that looks at each of them. */
  mayBeBare: boolean
}

/**
 * The pools of connections, one for each origin. There are `most` at once: for one more, the one that was without calls for the
 * longest time is closed. One that calls go to stays, so tenants share these: one alone may take four fifths of them, and a
 * first one is left to each as long as there is any (the rule of src/edge/in-flight.ts for bytes).
 */
export class Origins {
  readonly #most: number
  readonly #connect: (origin: string) => Pool
  readonly #all = new Map<string, Origin>()
  /** Origins that calls go to. */
  #busy = 0
  #turn = 0
  #closed = false

  constructor(most: number, connect: (origin: string) => Pool) {
    this.#most = most
    this.#connect = connect
  }

  /** Undefined when calls go to so many others that there is no room for one more, or not for one more of the tenant's. */
  take(origin: string, tenant: string): OriginPlace | undefined {
    let found = this.#all.get(origin)
    if (!found || found.calls === 0) {
      if (!this.#hasRoom(tenant)) return undefined
      found ??= this.#open(origin)
      found.tenant = tenant
      this.#busy++
    }
    const place = found
    place.calls++
    return { dispatcher: place.pool, give: () => this.#give(origin, place) }
  }

  /** Ends all connections, and what waits for an answer on them; calls from then on end before they are sent. */
  close(): void {
    this.#closed = true
    for (const [origin, { pool }] of this.#all) this.#drop(origin, pool)
  }

  #hasRoom(tenant: string): boolean {
    const left = this.#most - this.#busy - 1
    if (this.#busy < greed * left) return true
    let held = 0
    for (const one of this.#all.values()) if (one.calls > 0 && one.tenant === tenant) held++
    return left >= 0 && (held === 0 || held < greed * left)
  }

  #open(origin: string): Origin {
    if (this.#all.size >= this.#most) this.#dropLongestUnused()
    const pool = this.#connect(origin)
    const one: Origin = { pool, calls: 0, tenant: '', usedAt: 0, mayBeBare: true }
    pool.on('disconnect', () => {
      one.mayBeBare = true
      this.#dropIfUnused(origin, one)
    })
    this.#all.set(origin, one)
    if (this.#closed) this.#drop(origin, pool)
    return one
  }

  #give(origin: string, one: Origin): void {
    if (--one.calls > 0) return
    this.#busy--
    one.usedAt = ++this.#turn
    this.#dropIfUnused(origin, one)
  }

  /** A pool remembers all connections that it ever had at once: without one it is not worth its memory. */
  #dropIfUnused(origin: string, one: Origin): void {
    if (!one.mayBeBare || one.calls > 0 || this.#all.get(origin) !== one) return
    one.mayBeBare = one.pool.stats.connected === 0
    if (one.mayBeBare) this.#drop(origin, one.pool)
  }

  #dropLongestUnused(): void {
    let longest: readonly [string, Origin] | undefined
    for (const entry of this.#all) {
      if (entry[1].calls === 0 && (!longest || entry[1].usedAt < longest[1].usedAt)) longest = entry
    }
    if (longest) this.#drop(longest[0], longest[1].pool)
  }

  #drop(origin: string, pool: Pool): void {
    this.#all.delete(origin)
    pool.destroy().catch(() => {})
  }
}
