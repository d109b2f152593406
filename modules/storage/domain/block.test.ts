import { describe, expect, it } from 'vitest'
import { bodyOf } from './block.ts'
import { Rows } from './rows.ts'

/** A record of rows of these lengths, each filled with its number, which is its offset. */
function record(lengths: readonly number[], first: number): Rows {
  const starts = new Uint32Array(lengths.length + 1)
  lengths.forEach((length, i) => {
    starts[i + 1] = starts[i]! + length
  })
  const bytes = Buffer.alloc(starts[lengths.length]!)
  for (let i = 0; i < lengths.length; i++) bytes.fill(first + i, starts[i], starts[i + 1])
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return new Rows([
    { record: { count: lengths.length, bytes, view, starts }, base: first, from: 0, to: lengths.length },
  ])
}

const together = (...all: readonly Rows[]): Rows => new Rows(all.flatMap(({ runs }) => runs))

const plain = (rows: Rows): Buffer =>
  Buffer.concat(
    [...rows].map(({ record: { bytes, starts }, index }) => bytes.subarray(starts[index], starts[index + 1])),
  )

describe('the body of a block', () => {
  const small = Array.from({ length: 3_000 }, (_, i) => record([50 + (i % 7)], i % 251))
  const large = record(Array(100).fill(200), 1)
  const everyThirtieth = new Set([...large].map(({ offset }) => offset).filter((offset) => offset % 30 === 3))

  it.each<[string, Rows]>([
    ['no rows', new Rows([])],
    ['one small row', record([60], 7)],
    ['many small records', together(...small)],
    ['one large record', large],
    ['a large record with rows left out', large.without(everyThirtieth)],
    ['small and large ones in turn', together(...small.slice(0, 900), large, ...small.slice(900, 2_500), large)],
    ['a row larger than a chunk between small ones', together(record([10], 1), record([200_000], 2), record([10], 3))],
    [
      'small ones that fill chunks to the last byte',
      together(...Array.from({ length: 64 }, (_, i) => record([4_000], i))),
    ],
  ])('is the rows in order: %s', (_, rows) => {
    expect(Buffer.concat(bodyOf(rows)).equals(plain(rows))).toBe(true)
  })

  it('copies small rows together and gives large ones out as views', () => {
    expect(bodyOf(together(...small)).length).toBeLessThanOrEqual(4)
    expect(bodyOf(large)[0]!.buffer).toBe(large.first!.record.bytes.buffer)
  })
})
