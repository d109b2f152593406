import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SeenIndex, timeKind } from './seen-index.ts'

/** Keys are hashes: spread them. */
const hash = (i: number): number => Math.imul((i + 1) ^ (i >>> 13), 0x9e3779b1) >>> 0
const { own, untimed, ahead } = timeKind
const day = 86_400_000_000
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })

describe('SeenIndex', () => {
  it('says seen for every key that it was given, and new for the others, while nothing is forgotten', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(u32, u32), { maxLength: 500 }), (keys) => {
        const index = new SeenIndex(1_000_000)
        const seen = new Set<string>()
        for (const [low, high] of keys) {
          const name = `${low},${high}`
          expect(index.add(low, high, 0, own, 0)).toBe(seen.has(name) ? 'seen' : 'new')
          seen.add(name)
        }
      }),
    )
  })

  it('takes the key that is 0 for one like any other', () => {
    const index = new SeenIndex(10_000)
    expect([index.add(0, 0, 1, own, 0), index.add(0, 1, 1, own, 0), index.add(0, 0, 1, own, 0)]).toEqual([
      'new',
      'new',
      'seen',
    ])
  })

  it('says the same of keys that it was readied for', () => {
    const [index, readied] = [new SeenIndex(10_000), new SeenIndex(10_000)]
    for (let i = 0; i < 60_000; i++) {
      const [low, high] = [hash(i % 35_000), hash(-i % 35_000)]
      readied.touch(low, high)
      expect(readied.add(low, high, i, own, i & 1)).toBe(index.add(low, high, i, own, i & 1))
    }
    expect(readied.size).toBe(index.size)
  })

  it('keeps growing without losing a key', () => {
    const index = new SeenIndex(1_000_000)
    const verdicts = () => new Set(Array.from({ length: 200_000 }, (_, i) => index.add(i, i * 7, i, own, 0)))
    expect(verdicts()).toEqual(new Set(['new']))
    expect(verdicts()).toEqual(new Set(['seen']))
    expect(index.size).toBe(200_000)
  })

  it('never says new for a stored event, however much it had to forget, if the retry repeats the time', () => {
    const index = new SeenIndex(10_000)
    for (let i = 0; i < 100_000; i++) index.add(i, i, i, own, 0)
    expect(Array.from({ length: 100_000 }, (_, i) => index.add(i, i, i, own, 0))).not.toContain('new')
  })

  it('never says new for a stored event that came without a time, whose retry has a later one', () => {
    const index = new SeenIndex(10_000)
    for (let i = 0; i < 100_000; i++) index.add(hash(i), hash(-i), i, untimed, 0)
    const again = Array.from({ length: 100_000 }, (_, i) => index.add(hash(i), hash(-i), 1e6 + i, untimed, 0))
    expect(again).not.toContain('new')
  })

  it('says new for nearly all events without a time, though it has forgotten many', () => {
    const index = new SeenIndex(10_000)
    for (let i = 0; i < 60_000; i++) index.add(hash(i), hash(-i), i, untimed, 0)
    let doubtful = 0
    for (let i = 60_000; i < 70_000; i++) if (index.add(hash(i), hash(-i), i, untimed, 0) !== 'new') doubtful++
    expect(doubtful).toBeLessThan(50)
  })

  it('is told of events without a time that lie before its window', () => {
    const index = new SeenIndex(10_000, new Map([[0, 500]]))
    index.remember(7, 8, 400, untimed, 0)
    expect(index.add(7, 8, 1000, untimed, 0)).toBe('forgotten')
    expect(index.add(8, 7, 1000, untimed, 0)).toBe('new')
  })

  it('takes no other event for doubtful because one was of tomorrow', () => {
    const index = new SeenIndex(10_000)
    index.add(1, 1, day, ahead, 0)
    let doubtful = 0
    for (let i = 2; i < 100_000; i++) if (index.add(hash(i), hash(-i), i, own, 0) !== 'new') doubtful++
    expect(doubtful).toBe(0)
  })

  it('never says new for a stored event that was ahead, before and after its time has come', () => {
    const index = new SeenIndex(10_000)
    const everyFifth = (i: number) => (i % 5 === 0 ? ahead : own)
    // A tick is 10 µs of the day; what is ahead is so by a third of the run.
    let missed = 0
    const timeOf = (i: number) => 10 * (i % 5 === 0 ? i + 50_000 : i)
    for (let i = 0; i < 150_000; i++) {
      const kind = everyFifth(i)
      index.add(hash(i), hash(-i), timeOf(i), kind, 0)
      const soon = i - 40_000
      const late = i - 70_000
      for (const retry of [soon, late]) {
        if (retry < 0) continue
        const now = timeOf(retry) > 10 * i ? ahead : own
        if (index.add(hash(retry), hash(-retry), timeOf(retry), now, 0) === 'new') missed++
      }
    }
    expect(missed).toBe(0)
  })

  it('never says new for events ahead that fill whole generations', () => {
    const index = new SeenIndex(10_000)
    for (let i = 0; i < 50_000; i++) index.add(hash(i), hash(-i), day + i, ahead, 0)
    const again = Array.from({ length: 50_000 }, (_, i) => index.add(hash(i), hash(-i), day + i, own, 0))
    expect(again).not.toContain('new')
  })

  it('gives up what was ahead when it is long past', () => {
    const index = new SeenIndex(10_000)
    for (let i = 0; i < 1_000_000; i++)
      index.add(hash(i), hash(-i), i % 3 === 0 ? i + 1_000 : i, i % 3 === 0 ? ahead : own, 0)
    let doubtful = 0
    for (let i = 1_000_000; i < 1_010_000; i++) if (index.add(hash(i), hash(-i), i, own, 0) !== 'new') doubtful++
    expect(doubtful).toBeLessThan(50)
  })

  it('bounds its memory to two generations', () => {
    const index = new SeenIndex(10_000)
    for (let i = 0; i < 1_000_000; i++) index.add(i, i, i + (i % 2) * day, i % 2 === 0 ? own : ahead, 0)
    expect(index.size).toBeLessThanOrEqual(20_000)
    const filters = 2 * (2 ** 20 / 8)
    expect(index.bytes).toBeLessThanOrEqual(2 * 16_384 * 4 + filters)
  })

  it('asks the table about events no younger than what it was never told of', () => {
    const index = new SeenIndex(10_000, new Map([[0, 500]]))
    expect(index.add(1, 1, 500, own, 0)).toBe('forgotten')
    expect(index.add(2, 2, 501, own, 0)).toBe('new')
  })

  it('takes no event for doubtful because another partition is far ahead of its own', () => {
    const index = new SeenIndex(10_000)
    let doubtful = 0
    // Of the second, a hundredth for each of the first: when it comes to time t, all of the first up to 100 t is forgotten.
    for (let i = 0; i < 200_000; i++) {
      index.add(hash(i), hash(-i), i, own, 0)
      const late = i / 100
      if (Number.isInteger(late) && index.add(hash(late), hash(~late), late, own, 1) !== 'new') doubtful++
    }
    expect(doubtful).toBe(0)
    const again = Array.from({ length: 2_000 }, (_, i) => index.add(hash(i), hash(~i), i, own, 1))
    expect(again).not.toContain('new')
  })

  it('never says new for an event that another log had and that is forgotten', () => {
    const index = new SeenIndex(10_000, new Map([[1_001, 90]]))
    for (let i = 0; i < 100_000; i++) index.add(hash(i), hash(-i), 100 + i, own, i % 2)
    expect(index.add(1, 1, 70_000, own, 1_000)).toBe('forgotten')
    expect(index.add(2, 2, 90, own, 0)).toBe('forgotten')
    expect(index.add(3, 3, 200_000, own, 1_000)).toBe('new')
    expect(index.add(4, 4, 95, own, 1_002)).toBe('forgotten')
  })

  it('never says new for an event that was in another partition before the log was given this one', () => {
    const index = new SeenIndex(10_000, new Map([[0, 80]]))
    expect(index.add(1, 1, 80, own, 1)).toBe('forgotten')
    for (let i = 0; i < 100_000; i++) index.add(hash(i), hash(-i), 100 + i, own, 0)
    expect(index.add(2, 2, 70_000, own, 2)).toBe('forgotten')
    expect(index.add(3, 3, 200_000, own, 2)).toBe('new')
  })

  it('never says new for what was ahead in a partition in which nothing came since', () => {
    const index = new SeenIndex(10_000)
    for (let i = 0; i < 100; i++) index.add(hash(i), hash(~i), 50_000, ahead, 1)
    for (let i = 0; i < 200_000; i++) index.add(hash(i), hash(-i), i, i % 4 ? own : ahead, 0)
    expect(Array.from({ length: 100 }, (_, i) => index.add(hash(i), hash(~i), 50_000, own, 1))).not.toContain('new')
    expect(index.add(9, 9, 50_001, own, 1)).toBe('new')
  })

  it.each<[string, (i: number) => readonly [low: number, high: number]]>([
    ['have the same low bits', (i) => [(i << 21) >>> 0, ((i >>> 11) << 21) >>> 0]],
    ['had one slot in earlier versions', (i) => [i, Math.imul(i, 0x0e8b2f51) >>> 0]],
  ])('takes no longer for keys that a sender chose: they %s', (_, keyOf) => {
    const n = 40_000
    const chosen = Array.from({ length: n }, (_, i) => keyOf(i))
    const others = Array.from({ length: n }, (_, i) => [hash(i), hash(-i)] as const)
    // CPU time of this thread, µs: the machine may have other work. The kernel counts it in steps of some ms.
    const cpuFor = (keys: readonly (readonly [number, number])[]): number => {
      const index = new SeenIndex(1_000_000)
      const from = process.threadCpuUsage()
      for (const [low, high] of keys) index.add(low, high, 0, own, 0)
      const { user, system } = process.threadCpuUsage(from)
      return user + system
    }
    const best = (keys: readonly (readonly [number, number])[]) => Math.min(...[1, 2, 3].map(() => cpuFor(keys)))
    best(others)
    expect(best(chosen)).toBeLessThan(5 * Math.max(best(others), 10_000))
  })
})
