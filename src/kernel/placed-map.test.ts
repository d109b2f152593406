import { describe, expect, it } from 'vitest'
import { PlacedMap } from './placed-map.ts'

describe('a placed map', () => {
  it('does what a Map does', () => {
    const placed = new PlacedMap<{ n: number }>()
    const map = new Map<string, { n: number }>()
    // Names come again and again, and each step is one of a few that a fixed sequence picks.
    for (let n = 0; n < 10_000; n++) {
      const name = `saga ${(n * 7_919) % 97}`
      if ((n * 104_729) % 3 === 0) {
        placed.delete(name)
        map.delete(name)
      } else {
        placed.set(name, { n })
        map.set(name, { n })
      }
      expect(placed.get(name)).toEqual(map.get(name))
      expect(placed.has(name)).toBe(map.has(name))
      expect(placed.size).toBe(map.size)
    }
    const byNumber = (one: { n: number }, other: { n: number }) => one.n - other.n
    expect(placed.values().sort(byNumber)).toEqual([...map.values()].sort(byNumber))
  })
})
