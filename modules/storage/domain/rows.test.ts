import { describe, expect, it } from 'vitest'
import { Rows } from './rows.ts'

/** Records of so many rows each, from offset 10 on, with a gap of one offset between them. */
function records(...counts: readonly number[]): Rows {
  let base = 10
  const runs = counts.map((count) => {
    const bytes = Buffer.alloc(count)
    const view = new DataView(bytes.buffer, bytes.byteOffset, count)
    const run = { record: { count, bytes, view, starts: new Uint32Array(count + 1) }, base, from: 0, to: count }
    base += count + 1
    return run
  })
  return new Rows(runs)
}

const offsets = (rows: Rows): number[] => [...rows].map(({ offset }) => offset)
const subsets = (all: readonly number[]): number[][] =>
  Array.from({ length: 2 ** all.length }, (_, bits) => all.filter((_, i) => (bits >> i) & 1))

describe('rows of a block', () => {
  it('are in the order of their offsets, and know how many they are and which is the first', () => {
    const rows = records(2, 1, 3)
    expect(offsets(rows)).toEqual([10, 11, 13, 15, 16, 17])
    expect(rows.length).toBe(6)
    expect(rows.first).toEqual([...rows][0])
    expect(new Rows([]).first).toBeUndefined()
  })

  it('without others are the rest, whichever these are, and no run is empty', () => {
    const rows = records(3, 1, 4)
    for (const left of subsets(offsets(rows))) {
      const rest = rows.without(new Set(left))
      expect(offsets(rest)).toEqual(offsets(rows).filter((offset) => !left.includes(offset)))
      expect(rest.length).toBe(8 - left.length)
      expect(rest.runs.every(({ from, to }) => from < to)).toBe(true)
    }
  })

  it('have halves that are all of them, of nearly the same size, and not empty', () => {
    const rows = records(3, 1, 4)
    for (const left of subsets(offsets(rows))) {
      const rest = rows.without(new Set(left))
      const [low, high] = rest.halves()
      expect([...offsets(low), ...offsets(high)]).toEqual(offsets(rest))
      expect(low.length).toBe(rest.length >> 1)
      expect([...low.runs, ...high.runs].every(({ from, to }) => from < to)).toBe(true)
    }
  })
})
