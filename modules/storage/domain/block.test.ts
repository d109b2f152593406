import { describe, expect, it } from 'vitest'
import { type BlockRow, bodyOf } from './block.ts'

/** A record of rows of these lengths, each filled with its number. */
function rowsOf(lengths: readonly number[], first: number): BlockRow[] {
  const starts = new Uint32Array(lengths.length + 1)
  lengths.forEach((length, i) => {
    starts[i + 1] = starts[i]! + length
  })
  const bytes = Buffer.alloc(starts[lengths.length]!)
  for (let i = 0; i < lengths.length; i++) bytes.fill(first + i, starts[i], starts[i + 1])
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const record = { count: lengths.length, bytes, view, starts }
  return lengths.map((_, index) => ({ record, index, offset: first + index }))
}

const plain = (rows: readonly BlockRow[]): Buffer =>
  Buffer.concat(rows.map(({ record, index }) => record.bytes.subarray(record.starts[index], record.starts[index + 1])))

describe('the body of a block', () => {
  const small = Array.from({ length: 3_000 }, (_, i) => rowsOf([50 + (i % 7)], i % 251)).flat()
  const large = rowsOf(Array(100).fill(200), 1)

  it.each<[string, BlockRow[]]>([
    ['no rows', []],
    ['one small row', rowsOf([60], 7)],
    ['many small records', small],
    ['one large record', large],
    ['a large record with rows left out', large.filter((row) => row.index % 30 !== 3)],
    ['small and large ones in turn', [...small.slice(0, 900), ...large, ...small.slice(900, 2_500), ...large]],
    ['a row larger than a chunk between small ones', [...rowsOf([10], 1), ...rowsOf([200_000], 2), ...rowsOf([10], 3)]],
    ['small ones that fill chunks to the last byte', Array.from({ length: 64 }, (_, i) => rowsOf([4_000], i)).flat()],
  ])('is the rows in order: %s', (_, rows) => {
    expect(Buffer.concat(bodyOf(rows)).equals(plain(rows))).toBe(true)
  })

  it('copies small rows together and gives large ones out as views', () => {
    expect(bodyOf(small).length).toBeLessThanOrEqual(4)
    expect(bodyOf(large)[0]!.buffer).toBe(large[0]!.record.bytes.buffer)
  })
})
