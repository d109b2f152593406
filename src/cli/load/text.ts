import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline, type Readable, Transform } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'

/** A text file as bytes, decompressed when its name ends in .gz or .zst. `read` is the share of the file read so far. */
export interface TextFile {
  readonly stream: Readable
  read(): number
}

/** Errors of the disk and of the decompression come out of the stream. */
export async function openText(path: string): Promise<TextFile> {
  const { size } = await stat(path)
  let seen = 0
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length
      done(null, chunk)
    },
  })
  const file = createReadStream(path, { highWaterMark: 256 * 1024 })
  const end = (): void => {} // the error reaches the reader through the last stream of the pipeline
  const read = (): number => (size === 0 ? 1 : seen / size)
  if (path.endsWith('.gz')) return { stream: pipeline(file, counter, createGunzip(), end), read }
  if (path.endsWith('.zst')) return { stream: pipeline(file, counter, createZstdDecompress(), end), read }
  return { stream: pipeline(file, counter, end), read }
}
