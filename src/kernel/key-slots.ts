import { randomBytes } from 'node:crypto'

/** An odd 32-bit number, drawn for this process: who does not know it cannot choose keys that collide. */
export const secretMultiplier = (): number => randomBytes(4).readInt32LE() | 1

const first = secretMultiplier()
const second = secretMultiplier()
const third = secretMultiplier()
const fourth = secretMultiplier()
const fifth = secretMultiplier()

/**
 * Where a 64-bit key goes in a table of 2 ** (32 - `shift`) slots. Keys of events are hashes that senders can compute: if their
 * bits were the slot, one sender could put all its keys in a row and have every look-up walk along it. The sum of two products
 * would not do: keys that differ in their highest bits alone would give few sums, whatever the multipliers are. Nor would two
 * rounds: keys at equal distances come out at equal distances of one product, which for one in twenty multipliers are rows.
 *
 * @param low, high unsigned halves of the key
 * @param shift 1 … 31
 */
export function slotOf(low: number, high: number, shift: number): number {
  let mixed = Math.imul(low, first)
  mixed = Math.imul((mixed ^ (mixed >>> 15)) + high, second)
  mixed = Math.imul(mixed ^ (mixed >>> 16), third)
  return Math.imul(mixed ^ (mixed >>> 15), fourth) >>> shift
}

/**
 * A fingerprint of a 64-bit key, 1 … 2 ** 32 - 1, for telling apart the keys of one row of slots: two keys have the same one
 * with a probability of 2 ** -32. It stands for the key where a false "there it is" costs time and does no harm: in half of the memory,
 * and so with fewer waits for it.
 *
 * @param low, high unsigned halves of the key
 */
export function fingerprintOf(low: number, high: number): number {
  return (Math.imul(low, fifth) + high) >>> 0 || 1
}
