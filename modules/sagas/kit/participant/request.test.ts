import { describe, expect, it } from 'vitest'
import { retainedBytes } from '../../../../src/kernel/retained-bytes.fixture.ts'
import { type Incoming, readBytes } from './request.ts'

const requestOf = (chunks: () => AsyncGenerator<Uint8Array>): Incoming => ({
  headers: {},
  [Symbol.asyncIterator]: chunks,
})

describe('the body of a request', () => {
  it('is what its chunks are, in order', async () => {
    const parts = ['', 'a', 'bc', 'd'.repeat(5_000), 'e', 'f'.repeat(20_000)]
    const request = requestOf(async function* () {
      for (const part of parts) yield Buffer.from(part)
    })
    expect(Buffer.from(await readBytes(request, 100_000)).toString()).toBe(parts.join(''))
    await expect(readBytes(request, 25_003)).rejects.toMatchObject({ reply: { status: 413 } })
    expect(await readBytes(request, 25_004)).toHaveLength(25_004)
  })

  it('in chunks of one byte takes no more memory than it has bytes, about', async () => {
    const request = requestOf(async function* () {
      for (let i = 0; i < 300_000; i++) {
        // As a connection does, it lets other work in.
        if (i % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve))
        yield Buffer.allocUnsafeSlow(1)
      }
      await new Promise((resolve) => setTimeout(resolve, 600))
    })
    expect(await retainedBytes(() => readBytes(request, 1 << 20))).toBeLessThan(8 << 20)
  })
})
