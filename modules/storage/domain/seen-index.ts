import { fingerprintOf, slotOf } from '@splitstream/kernel'
import { ForgottenTimes, type PartitionTimes } from './forgotten-times.ts'
import { KeyFilter } from './key-filter.ts'

/**
 * Which event keys were stored lately: the first half of "a retry never doubles".
 *
 * A set of 64-bit keys in open addressing over typed arrays (a fingerprint of 4 bytes a slot), in two generations. Keys go into the
 * current one; when that is full it becomes the previous one and the previous one is forgotten, so that memory is
 * bounded and the window holds between `maxKeys` and 2 × `maxKeys` events.
 *
 * It never decides alone that an event is a duplicate, since two events can share a key, or its fingerprint: `add` answers
 *   new        nothing with this key can be stored: the key is not in the window, and the event's time lies after the time
 *              of everything that was ever forgotten of its partition, and of other logs (a retry repeats the event's time, and
 *              what decides the partition);
 *   seen       the key is in the window: ask the table for it, whatever time its event has there;
 *   forgotten  the key may have been in an earlier window: ask the table for it at the event's time.
 * Hence a collision, an old event or a forgotten window costs a look-up and never an event.
 *
 * The time says nothing of two kinds of events, so their keys are remembered beyond the window, in filters of bounded memory:
 * of those that came without one, for good, because a retry has none to repeat; of those whose time lay ahead of their
 * arrival, until all that has this time is forgotten. One clock that is ahead would make all events up to its time doubtful.
 */
export type Verdict = 'new' | 'seen' | 'forgotten'

/** Where an event's time comes from: of itself; given at its arrival; of itself, and ahead of its arrival. */
export const timeKind = { own: 0, untimed: 1, ahead: 2 } as const
export type TimeKind = (typeof timeKind)[keyof typeof timeKind]

/** By how much a time may lie after the arrival and is not ahead of it, µs: clocks that are kept differ by less. */
export const maxSkew = 2_000_000

interface Generation {
  /** Fingerprints of keys; 0 where there is none. */
  readonly slots: Uint32Array
  readonly mask: number
  /** Of slotOf. */
  readonly shift: number
  size: number
}

interface Ahead {
  readonly keys: KeyFilter
  /** Greatest time in here, µs, by partition. */
  readonly until: Map<number, number>
}

/** Part of the slots that keys may take. */
const maxFill = 0.7
/** Of the filter for events without a time, for each key of a generation: 32 MiB for two million. */
const untimedBits = 128
/** Of each of the two for events ahead of their arrival. Beyond eight million of them more and more events are looked up. */
const aheadBits = 64

export class SeenIndex {
  readonly #maxKeys: number
  #current: Generation
  #previous: Generation | undefined
  readonly #times: ForgottenTimes
  /** Those of the partition that the last event was of: the next one mostly is of the same. */
  #last: { readonly partition: number; readonly times: PartitionTimes } | undefined
  #hasForgotten: boolean
  /** Keys of all events that came without a time; made when the first one comes. */
  #untimed: KeyFilter | undefined
  #ahead: Ahead | undefined
  /** Of earlier generations; given up when all its times are forgotten. */
  #aheadBefore: Ahead | undefined
  /** Of no meaning; without a use the compiler would leave the reading out. */
  #touched = 0

  /**
   * @param maxKeys keys of one generation
   * @param forgotten greatest time (µs) of a stored event that the index will not be told of, by partition
   */
  constructor(maxKeys: number, forgotten: ReadonlyMap<number, number> = new Map()) {
    this.#maxKeys = maxKeys
    this.#current = generation(maxKeys)
    this.#times = new ForgottenTimes(forgotten)
    this.#hasForgotten = forgotten.size > 0
  }

  get size(): number {
    return this.#current.size + (this.#previous?.size ?? 0)
  }

  get bytes(): number {
    const filters = [this.#untimed, this.#ahead?.keys, this.#aheadBefore?.keys]
    const tables = this.#current.slots.byteLength + (this.#previous?.slots.byteLength ?? 0)
    return filters.reduce((sum, filter) => sum + (filter?.bytes ?? 0), tables)
  }

  /** Adds the key (two unsigned halves) of an event whose time is `time` µs, and says whether it may be stored already. */
  add(low: number, high: number, time: number, kind: TimeKind, partition: number): Verdict {
    const inPrevious = this.#previous !== undefined && has(this.#previous, low, high)
    const fresh = insert(this.#current, low, high)
    const times = this.#timesOf(partition)
    if (kind !== timeKind.ahead && time > times.current) times.current = time
    if (fresh) this.#makeRoom()
    const forgotten = time <= times.doubtful || this.#isRemembered(low, high, kind)
    if (kind !== timeKind.own) this.remember(low, high, time, kind, partition)
    if (!fresh || inPrevious) return 'seen'
    return forgotten ? 'forgotten' : 'new'
  }

  /**
   * Reads the places in memory that `add` of the key will read. To do so for some hundred keys, before the first of them is added,
   * has the processor wait for all of these at once and not for one after the other: adding takes two thirds of the time.
   */
  touch(low: number, high: number): void {
    const { slots, shift } = this.#current
    const slot = slotOf(low, high, shift)
    this.#touched ^= slots[slot]! ^ (this.#previous ? this.#previous.slots[slot]! : 0)
  }

  /** An event that lies before the window, and whose time is not its own or later than all that was forgotten of its partition. */
  remember(low: number, high: number, time: number, kind: TimeKind, partition: number): void {
    if (kind === timeKind.untimed) {
      this.#untimed ??= this.#filter(untimedBits)
      this.#untimed.add(low, high)
    } else if (kind === timeKind.ahead) {
      this.#ahead ??= { keys: this.#filter(aheadBits), until: new Map() }
      const { keys, until } = this.#ahead
      keys.add(low, high)
      if (time > (until.get(partition) ?? Number.NEGATIVE_INFINITY)) until.set(partition, time)
    }
  }

  /** An event that was ahead of its arrival is not any more when it is sent again later: the key counts, whatever the kind. */
  #isRemembered(low: number, high: number, kind: TimeKind): boolean {
    if (!this.#hasForgotten) return false
    if (kind === timeKind.untimed && this.#untimed?.has(low, high)) return true
    return this.#ahead?.keys.has(low, high) || this.#aheadBefore?.keys.has(low, high) || false
  }

  #timesOf(partition: number): PartitionTimes {
    if (this.#last?.partition !== partition) this.#last = { partition, times: this.#times.of(partition) }
    return this.#last.times
  }

  #makeRoom(): void {
    if (this.#current.size < this.#maxKeys) return
    if (this.#previous) this.#hasForgotten = true
    this.#times.turn()
    this.#previous = this.#current
    this.#current = generation(this.#maxKeys)
    if (this.#aheadBefore) {
      const { until } = this.#aheadBefore
      if (Math.max(...until.values()) > this.#times.latest) return
      // Also of a partition of which nothing else was forgotten meanwhile.
      this.#times.forget(until)
    }
    this.#aheadBefore = this.#ahead
    this.#ahead = undefined
  }

  #filter(bitsForEachKey: number): KeyFilter {
    return new KeyFilter(2 ** Math.ceil(Math.log2(this.#maxKeys * bitsForEachKey)))
  }
}

/**
 * Room for `maxKeys` keys. Its full size at once: to grow would copy a million keys while requests
 * wait (80 ms), and untouched pages cost nothing.
 */
function generation(maxKeys: number): Generation {
  const bits = Math.ceil(Math.log2(maxKeys / maxFill))
  const count = 2 ** bits
  return {
    slots: new Uint32Array(count),
    mask: count - 1,
    shift: 32 - bits,
    size: 0,
  }
}

/** The slot where the fingerprint is, or where it would go. Linear probing: some slots are always empty. */
function find(g: Generation, low: number, high: number, fingerprint: number): number {
  let slot = slotOf(low, high, g.shift)
  while (g.slots[slot] !== 0 && g.slots[slot] !== fingerprint) slot = (slot + 1) & g.mask
  return slot
}

function has(g: Generation, low: number, high: number): boolean {
  return g.slots[find(g, low, high, fingerprintOf(low, high))] !== 0
}

function insert(g: Generation, low: number, high: number): boolean {
  const fingerprint = fingerprintOf(low, high)
  const slot = find(g, low, high, fingerprint)
  if (g.slots[slot] !== 0) return false
  g.slots[slot] = fingerprint
  g.size++
  return true
}
