import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SeenIndex } from './seen-index.ts'

/** Keys are hashes: spread them. */
const hash = (i: number): number => Math.imul((i + 1) ^ (i >>> 13), 0x9e3779b1) >>> 0
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })

describe('SeenIndex', () => {
  it('says maybe for every key that it was given, and new for the others, while nothing is forgotten', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(u32, u32), { maxLength: 500 }), (keys) => {
        const index = new SeenIndex(1_000_000)
        const seen = new Set<string>()
        for (const [low, high] of keys) {
          const name = low === 0 && high === 0 ? '1,0' : `${low},${high}`
          expect(index.add(low, high, 0)).toBe(seen.has(name) ? 'maybe' : 'new')
          seen.add(name)
        }
      }),
    )
  })

  it('keeps growing without losing a key', () => {
    const index = new SeenIndex(1_000_000)
    for (let i = 0; i < 200_000; i++) expect(index.add(i, i * 7, i)).toBe('new')
    for (let i = 0; i < 200_000; i++) expect(index.add(i, i * 7, i)).toBe('maybe')
    expect(index.size).toBe(200_000)
  })

  it('never says new for a stored event, however much it had to forget, if the retry repeats the time', () => {
    const index = new SeenIndex(10_000)
    for (let i = 0; i < 100_000; i++) index.add(i, i, i)
    for (let i = 0; i < 100_000; i++) expect(index.add(i, i, i)).toBe('maybe')
  })

  it('never says new for a stored event that came without a time, whose retry has a later one', () => {
    const index = new SeenIndex(10_000)
    for (let i = 0; i < 100_000; i++) index.add(hash(i), hash(-i), i, true)
    for (let i = 0; i < 100_000; i++) expect(index.add(hash(i), hash(-i), 1e6 + i, true)).toBe('maybe')
  })

  it('says new for nearly all events without a time, though it has forgotten many', () => {
    const index = new SeenIndex(10_000)
    for (let i = 0; i < 60_000; i++) index.add(hash(i), hash(-i), i, true)
    let maybe = 0
    for (let i = 60_000; i < 70_000; i++) if (index.add(hash(i), hash(-i), i, true) === 'maybe') maybe++
    expect(maybe).toBeLessThan(50)
  })

  it('is told of events without a time that lie before its window', () => {
    const index = new SeenIndex(10_000, 500)
    index.addUntimed(7, 8)
    expect(index.add(7, 8, 1000, true)).toBe('maybe')
    expect(index.add(8, 7, 1000, true)).toBe('new')
  })

  it('bounds its memory to two generations', () => {
    const index = new SeenIndex(10_000)
    for (let i = 0; i < 1_000_000; i++) index.add(i, i, i)
    expect(index.size).toBeLessThanOrEqual(20_000)
    expect(index.bytes).toBeLessThanOrEqual(2 * 16_384 * 8)
  })

  it('asks the table about events no younger than what it was never told of', () => {
    const index = new SeenIndex(10_000, 500)
    expect(index.add(1, 1, 500)).toBe('maybe')
    expect(index.add(2, 2, 501)).toBe('new')
  })
})
