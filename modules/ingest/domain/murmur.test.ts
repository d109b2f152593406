import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Murmur } from './murmur.ts'

function hashOf(...parts: readonly Uint8Array[]): [low: number, high: number] {
  const hash = new Murmur()
  hash.start()
  for (const part of parts) hash.add(part, 0, part.length)
  hash.finish()
  return [hash.low, hash.high]
}

const fox = 'The quick brown fox jumps over the lazy dog'

describe('the hash that decides partitions and names events', () => {
  // Reference values of MurmurHash3_x86_32: seeds 0 and 0x9747b28c.
  it.each([
    ['', 0, 0xebb6c228],
    ['test', 0xba6bd213, 0x704b81dc],
    ['Hello, world!', 0xc0363e43, 0x24884cba],
    [fox, 0x2e4ff723, 0x2fa826cd],
  ])('of %j is what it always was', (text, low, high) => {
    expect(hashOf(Buffer.from(text))).toEqual([low, high])
  })

  it('is the same however the bytes are cut', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 13 }), { maxLength: 6 })
    fc.assert(
      fc.property(pieces, (parts) => {
        expect(hashOf(...parts)).toEqual(hashOf(Buffer.concat(parts)))
      }),
    )
  })

  it('goes on from a prefix as if the prefix were its own', () => {
    const bytes = fc.uint8Array({ maxLength: 20 })
    fc.assert(
      fc.property(bytes, bytes, (before, after) => {
        const [prefix, hash] = [new Murmur(), new Murmur()]
        prefix.start()
        prefix.add(before, 0, before.length)
        for (const _ of [1, 2]) {
          hash.startFrom(prefix)
          hash.add(after, 0, after.length)
          hash.finish()
          expect([hash.low, hash.high]).toEqual(hashOf(before, after))
        }
      }),
    )
  })
})
