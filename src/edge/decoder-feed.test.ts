import { Transform } from 'node:stream'
import { finished } from 'node:stream/promises'
import { expect, it } from 'vitest'
import { DecoderFeed } from './decoder-feed.ts'

it('hands what comes while the decoder is at work to it in one piece, in order, and then the end', async () => {
  const pieces: string[] = []
  const decoder = new Transform({
    transform: (piece: Buffer, _, done) => {
      pieces.push(piece.toString())
      setImmediate(done)
    },
  }).resume()
  const feed = new DecoderFeed(decoder)
  for (const text of 'abcdef') feed.add(Buffer.from(text))
  expect(pieces).toEqual(['a'])
  expect(decoder.writableLength).toBe(1)
  await new Promise((resolve) => setTimeout(resolve, 20))
  feed.add(Buffer.from('g'))
  feed.add(Buffer.from('h'))
  feed.end()
  await finished(decoder)
  expect(pieces).toEqual(['a', 'bcdef', 'g', 'h'])
})
