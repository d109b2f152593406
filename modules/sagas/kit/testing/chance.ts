import type { Chance } from '../../domain/turn.ts'

/** Chance that is the same for the same seed: jitter by mulberry32, ids in turn. */
export function seededChance(seed: number): Chance {
  let state = seed >>> 0
  let ids = 0
  return {
    fraction: () => {
      state = (state + 0x6d2b79f5) >>> 0
      let mixed = Math.imul(state ^ (state >>> 15), state | 1)
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
    },
    id: () => `saga-${++ids}`,
  }
}
