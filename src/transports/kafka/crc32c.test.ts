import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { crc32c, fastest, slow } from './crc32c.ts'

const require = createRequire(import.meta.url)

it('is native here', () => {
  expect(require('@node-rs/crc32').crc32c('123456789')).toBe(0xe3069283)
  expect(crc32c).not.toBe(slow)
})

it("is kafkajs's own, of any bytes in any parts", () => {
  const part = fc
    .uint8Array({ maxLength: 3_000 })
    .chain((bytes) => fc.nat(16).map((from) => Buffer.from(bytes.buffer).subarray(from)))
  fc.assert(
    fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
      expect(crc32c(parts)).toBe(slow(parts))
    }),
    { numRuns: 500 },
  )
  const large = [Buffer.alloc(4 << 20, 'a batch of events')]
  expect(crc32c(large)).toBe(slow(large))
})

it("is kafkajs's own where there is no native one, or a wrong one", () => {
  const missing = () => {
    throw new Error('Cannot find native binding')
  }
  expect(fastest(missing)).toBe(slow)
  expect(fastest(() => () => 1)).toBe(slow)
})
