import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JoinedBytes } from './joined-bytes.ts'
import { retainedBytes } from './retained-bytes.fixture.ts'

/** Few bytes, about as many as are kept as they come, and more than a block. */
const sizes = fc.oneof(fc.nat({ max: 9 }), fc.integer({ min: 3_000, max: 5_000 }), fc.constant(70_000))

describe('joined bytes', () => {
  it('are those of the chunks, in their order, each time', () => {
    fc.assert(
      fc.property(fc.array(sizes, { maxLength: 40 }), (lengths) => {
        const joined = new JoinedBytes()
        for (const round of [1, 2]) {
          const chunks = lengths.map((length, i) => Buffer.alloc(length, i + round))
          for (const chunk of chunks) joined.add(chunk)
          expect(joined.length).toBe(lengths.reduce((sum, length) => sum + length, 0))
          expect(joined.take().equals(Buffer.concat(chunks))).toBe(true)
          expect(joined.length).toBe(0)
        }
      }),
    )
  })

  it('are the chunk itself when there is only one', () => {
    const joined = new JoinedBytes()
    const chunk = Buffer.from('x')
    joined.add(chunk)
    expect(joined.take()).toBe(chunk)
  })

  it.each([
    ['single bytes', [1]],
    ['chunks that are just too small to be kept', [4_095]],
    ['large ones with a byte between', [4_096, 1]],
    ['chunks that leave most of a block', [3_000, 4_096]],
  ])('take less than twice their size: %s', async (_, lengths) => {
    const joined = new JoinedBytes()
    const retained = await retainedBytes(async () => {
      for (let i = 0; joined.length < 8 << 20; i++) joined.add(Buffer.alloc(lengths[i % lengths.length]!))
    })
    expect(retained).toBeLessThan(2 * joined.length)
  })
})
