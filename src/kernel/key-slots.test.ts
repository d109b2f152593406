import { describe, expect, it, vi } from 'vitest'
import { fingerprintOf } from './key-slots.ts'

const bits = 14
const keys = 2 ** (bits - 1)
const random = () => Math.floor(Math.random() * 2 ** 32)

/** Its numbers are drawn for each process: as so many have them. */
async function slotsOfProcesses(count: number): Promise<typeof import('./key-slots.ts')['slotOf'][]> {
  const drawn = []
  while (drawn.length < count) {
    vi.resetModules()
    drawn.push((await import('./key-slots.ts')).slotOf)
  }
  return drawn
}

const processes = await slotsOfProcesses(100)

/** Slots that are looked at for each key, in the mean, when all go into one table with linear probing: in the worst process. */
function worstProbes(keyOf: (i: number) => readonly [low: number, high: number]): number {
  return Math.max(
    ...processes.map((slotOf) => {
      const taken = new Uint8Array(2 ** bits)
      let probes = 0
      for (let i = 0; i < keys; i++) {
        let slot = slotOf(...keyOf(i), 32 - bits)
        for (probes++; taken[slot] === 1; probes++) slot = (slot + 1) & (taken.length - 1)
        taken[slot] = 1
      }
      return probes / keys
    }),
  )
}

describe('the slots of keys that a sender chose', () => {
  const [low, high] = [random(), random()]
  it.each<[name: string, keyOf: (i: number) => readonly [number, number]]>([
    ['at random', () => [random(), random()]],
    ['with one low half', (i) => [low, i]],
    ['with one low half, far apart', (i) => [low, (i << 16) >>> 0]],
    ['with one high half', (i) => [i, high]],
    ['with one high half, far apart', (i) => [(i << 16) >>> 0, high]],
    ['with no low half', (i) => [0, i]],
    ['with the same low bits in both halves', (i) => [(i << 16) >>> 0, ((i * 7) << 16) >>> 0]],
    ['with the same low bits, which differ only in the highest', (i) => [(i << 24) >>> 0, ((i >>> 8) << 24) >>> 0]],
    ['with halves that have the same sum', (i) => [i, (high - i) >>> 0]],
    ['with halves that have the same difference', (i) => [i, (high + i) >>> 0]],
    ['that the index of earlier versions took for one', (i) => [i, Math.imul(i, 0x0e8b2f51) >>> 0]],
  ])('%s: are spread', (_, keyOf) => {
    // At half fill linear probing looks at 1.5 slots.
    expect(worstProbes(keyOf)).toBeLessThan(3)
  })
})

describe('the fingerprints of keys', () => {
  it('are different for nearly all, and never 0', () => {
    const all = Array.from({ length: 100_000 }, () => fingerprintOf(random(), random()))
    // One pair that is alike is to be expected in every run.
    expect(new Set(all).size).toBeGreaterThan(all.length - 20)
    expect(fingerprintOf(0, 0)).toBeGreaterThan(0)
    expect(Math.min(...all.slice(0, 10_000))).toBeGreaterThan(0)
  })

  it('are different for keys that differ in one half', () => {
    const key = random()
    const all = Array.from({ length: 50_000 }, (_, i) => [fingerprintOf(i, key), fingerprintOf(key, i)]).flat()
    expect(new Set(all).size).toBeGreaterThan(all.length - 20)
  })
})
