import { KeyFilter } from './key-filter.ts'

/**
 * Which event keys were stored lately: the first half of "a retry never doubles".
 *
 * A set of 64-bit keys in open addressing over typed arrays (8 bytes a slot), in two generations. Keys go into the
 * current one; when that is full it becomes the previous one and the previous one is forgotten, so that memory is
 * bounded and the window holds between `maxKeys` and 2 × `maxKeys` events.
 *
 * It never decides alone that an event is a duplicate, since two events can share a key: `add` answers
 *   new      nothing with this key can be stored: the key is not in the window, and the event's time lies after the time
 *            of everything that was ever forgotten (a retry repeats the event's time). A retry of an event that came
 *            without a time has none to repeat, so the keys of those are kept for good, in a filter of bounded memory;
 *   maybe    ask the table.
 * Hence a collision, an old event or a forgotten window costs a look-up and never an event.
 */
export type Verdict = 'new' | 'maybe'

interface Generation {
  readonly slots: Uint32Array
  readonly mask: number
  size: number
  /** Greatest event time in here, microseconds. */
  maxTime: number
}

/** Part of the slots that keys may take. */
const maxFill = 0.7
/** Of the filter for events without a time, for each key of a generation: 32 MiB for two million. */
const filterBits = 128

export class SeenIndex {
  readonly #maxKeys: number
  #current: Generation
  #previous: Generation | undefined
  #forgottenUntil: number
  /** Keys of all events that came without a time; made when the first one comes. */
  #untimed: KeyFilter | undefined

  /**
   * @param maxKeys keys of one generation
   * @param forgottenUntil greatest time (µs) of a stored event that the index will not be told of; -Infinity for none
   */
  constructor(maxKeys: number, forgottenUntil = Number.NEGATIVE_INFINITY) {
    this.#maxKeys = maxKeys
    this.#current = generation(maxKeys)
    this.#forgottenUntil = forgottenUntil
  }

  get size(): number {
    return this.#current.size + (this.#previous?.size ?? 0)
  }

  get bytes(): number {
    return this.#current.slots.byteLength + (this.#previous?.slots.byteLength ?? 0)
  }

  /**
   * Adds the key (two unsigned halves) of an event whose time is `time` µs, and says whether it may be stored already.
   * `untimed`: it came without one, and has that of its arrival.
   */
  add(low: number, high: number, time: number, untimed = false): Verdict {
    // Slot value 0,0 means empty; the one key that is 0,0 is kept as 1,0 (a collision like any other).
    if (low === 0 && high === 0) low = 1
    const inPrevious = this.#previous !== undefined && has(this.#previous, low, high)
    const fresh = insert(this.#current, low, high)
    if (time > this.#current.maxTime) this.#current.maxTime = time
    if (fresh) this.#makeRoom()
    const forgotten = time <= this.#forgottenUntil || (untimed && this.#wasForgotten(low, high))
    if (untimed) this.addUntimed(low, high)
    return !fresh || inPrevious || forgotten ? 'maybe' : 'new'
  }

  /** An event without a time that lies before the window. */
  addUntimed(low: number, high: number): void {
    this.#untimed ??= new KeyFilter(2 ** Math.ceil(Math.log2(this.#maxKeys * filterBits)))
    this.#untimed.add(low, high)
  }

  #wasForgotten(low: number, high: number): boolean {
    return (
      this.#forgottenUntil > Number.NEGATIVE_INFINITY && this.#untimed !== undefined && this.#untimed.has(low, high)
    )
  }

  #makeRoom(): void {
    if (this.#current.size < this.#maxKeys) return
    if (this.#previous) this.#forgottenUntil = Math.max(this.#forgottenUntil, this.#previous.maxTime)
    this.#previous = this.#current
    this.#current = generation(this.#maxKeys)
  }
}

/**
 * Room for `maxKeys` keys, two array elements a slot. Its full size at once: to grow would copy a million keys while requests
 * wait (80 ms), and untouched pages cost nothing.
 */
function generation(maxKeys: number): Generation {
  const count = 2 ** Math.ceil(Math.log2(maxKeys / maxFill))
  return { slots: new Uint32Array(count * 2), mask: count - 1, size: 0, maxTime: Number.NEGATIVE_INFINITY }
}

/** The element where the key is, or where it would go. Linear probing: some slots are always empty. */
function find(g: Generation, low: number, high: number): number {
  let slot = (low ^ Math.imul(high, 0x9e3779b1)) & g.mask
  for (;;) {
    const l = g.slots[slot * 2]!
    const h = g.slots[slot * 2 + 1]!
    if ((l === low && h === high) || (l === 0 && h === 0)) return slot * 2
    slot = (slot + 1) & g.mask
  }
}

function has(g: Generation, low: number, high: number): boolean {
  const at = find(g, low, high)
  return g.slots[at] !== 0 || g.slots[at + 1] !== 0
}

function insert(g: Generation, low: number, high: number): boolean {
  const at = find(g, low, high)
  if (g.slots[at] !== 0 || g.slots[at + 1] !== 0) return false
  g.slots[at] = low
  g.slots[at + 1] = high
  g.size++
  return true
}
