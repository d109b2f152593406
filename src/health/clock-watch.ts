import type { Clock, Health } from '@splitstream/kernel'
import { seconds } from './dependency-state.ts'

/** A difference to Postgres’s clock that is too large, and one that is small again, ms. */
const [wrongMs, rightMs] = [30_000, 15_000]
/** A step of the clock that is no correction, and for how long it is told, ms. */
const [jumpMs, toldMs] = [30_000, 10_000]
/** For how long it counts what another clock said, ms; and how many of them at most. */
const [freshMs, mostClocks] = [60_000, 32]

/** Another clock, less our monotonic one, ms: it stays the same while both run. */
interface Heard {
  readonly offset: number
  readonly at: number
}

/*
 * The wall clock, of which events get their times. Postgres's is the one that all processes share: this one must not be far from it.
 * Where both are the same machine's, only a step shows: the wall clock moves and the monotonic one does not.
 *
 * When the two are apart, one of them is wrong, and a process must not go out of service for Postgres's: all of its kind would go at once.
 * So it is asked whose it is. First the others that tell the time (ClickHouse, other processes): the majority is right. Where they do
 * not decide, whoever has stepped since both were right. Where nobody knows, nobody is blamed.
 *
 *   right → apart: ours is wrong (down), or Postgres's, or it is not known (degraded) → right
 */
export class ClockWatch {
  readonly #clock: Clock
  #offset: number
  #jump: { readonly at: number; readonly ms: number } | undefined
  #postgres: number | undefined
  /** What ours was when it was right by Postgres's last. */
  #agreed: number | undefined
  #difference = 0
  #apart = false
  readonly #others = new Map<string, Heard>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#offset = this.#own()
  }

  tick(): void {
    const offset = this.#own()
    const ms = offset - this.#offset
    this.#offset = offset
    if (Math.abs(ms) >= jumpMs) {
      this.#jump = { at: this.#clock.monotonic(), ms }
      // They are asked anew: a machine that slept has a monotonic clock that stood still.
      this.#postgres = undefined
      this.#others.clear()
    }
    this.#look()
  }

  /** Postgres says that it is `now`, ms since the epoch. */
  compare(now: number): void {
    this.#postgres = now - this.#clock.monotonic()
    this.#look()
  }

  /** Somebody else does, whose clock is not that of this machine; `name` is for people. */
  heard(name: string, now: number): void {
    const at = this.#clock.monotonic()
    // The one that was heard last is the last in the map.
    this.#others.delete(name)
    this.#others.set(name, { offset: now - at, at })
    if (this.#others.size > mostClocks) this.#others.delete(this.#others.keys().next().value!)
  }

  readonly health = (now: number): Health => {
    const apart = this.#apart ? this.#blame(now) : undefined
    if (apart?.state === 'down') return apart
    if (!this.#jump || now - this.#jump.at >= toldMs) return apart ?? { state: 'ok' }
    const { ms } = this.#jump
    return { state: 'down', reason: `the clock has jumped ${ms > 0 ? 'forward' : 'back'} by ${seconds(Math.abs(ms))}` }
  }

  /** Also without a word of Postgres: ours may have been set right. */
  #look(): void {
    if (this.#postgres === undefined) {
      this.#apart = false
      return
    }
    const own = this.#own()
    this.#difference = own - this.#postgres
    this.#apart = Math.abs(this.#difference) >= (this.#apart ? rightMs : wrongMs)
    if (Math.abs(this.#difference) < rightMs) this.#agreed = own
  }

  #blame(now: number): Health {
    const apart = `the clock is ${distance(this.#difference)} that of Postgres`
    const own = this.#own()
    const withUs = this.#near(own, now)
    const withPostgres = this.#near(this.#postgres!, now)
    const moved = this.#agreed !== undefined && Math.abs(own - this.#agreed) >= rightMs
    const votes = withPostgres.length - withUs.length
    if (votes > 0) return { state: 'down', reason: `${apart}, and of ${withPostgres[0]}` }
    if (votes === 0 && moved) return { state: 'down', reason: apart }
    if (votes < 0) return { state: 'degraded', reason: `${apart}, which is wrong by that of ${withUs[0]}` }
    const why = this.#agreed === undefined ? 'and nobody tells which of them is wrong' : 'which has moved'
    return { state: 'degraded', reason: `${apart}, ${why}` }
  }

  #near(offset: number, now: number): string[] {
    return [...this.#others].flatMap(([name, heard]) =>
      now - heard.at < freshMs && Math.abs(heard.offset - offset) < rightMs ? [name] : [],
    )
  }

  #own(): number {
    return this.#clock.now() - this.#clock.monotonic()
  }
}

const distance = (ms: number): string => `${seconds(Math.abs(ms))} ${ms > 0 ? 'ahead of' : 'behind'}`
