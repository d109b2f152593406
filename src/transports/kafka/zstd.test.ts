import { randomBytes } from 'node:crypto'
import zlib from 'node:zlib'
import kafkajs from 'kafkajs'
import { expect, it } from 'vitest'
import './zstd.ts'

interface Codec {
  compress(records: { readonly buffer: Buffer }): Promise<Buffer>
  decompress(bytes: Buffer): Promise<Buffer>
}

const codec = kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] as () => Codec
const bytesOf = {
  'a few bytes': Buffer.from('{"n":1}'),
  'what is done in the loop': Buffer.alloc(300_000, randomBytes(1_000)),
  'what is done in another thread': Buffer.alloc(3_000_000, randomBytes(1_000)),
  'what does not compress': randomBytes(700_000),
}

it.each(Object.entries(bytesOf))('gives back %s, as other zstd does', async (_, buffer) => {
  const compressed = await codec().compress({ buffer })
  expect(Buffer.compare(zlib.zstdDecompressSync(compressed), buffer)).toBe(0)
  expect(Buffer.compare(await codec().decompress(compressed), buffer)).toBe(0)
})

it.each([20, 200_000])('refuses %s bytes that are not zstd', async (size) => {
  await expect(codec().decompress(Buffer.alloc(size, 7))).rejects.toThrow()
})
