import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress, type ZlibOptions } from 'node:zlib'
import { AppError } from '@splitstream/kernel'

type Make = (options: Pick<ZlibOptions, 'chunkSize' | 'rejectGarbageAfterEnd'>) => Transform

// Node decodes all members of a gzip file, but of the other forms only the first frame: what follows it would be lost
// without a word, so it is refused.
const decoders: Readonly<Record<string, Make>> = {
  gzip: ({ chunkSize }) => createGunzip({ chunkSize }),
  'x-gzip': ({ chunkSize }) => createGunzip({ chunkSize }),
  deflate: (options) => createInflate({ ...options, rejectGarbageAfterEnd: true }),
  br: (options) => createBrotliDecompress({ ...options, rejectGarbageAfterEnd: true }),
  zstd: (options) => createZstdDecompress({ ...options, rejectGarbageAfterEnd: true }),
}

const smallest = 4 * 1024
const largest = 128 * 1024

/**
 * The decoder for a Content-Encoding; undefined when there is nothing to decode.
 * @param declared Content-Length, to choose a fitting chunk size
 * @throws AppError ENCODING_UNSUPPORTED for an unknown encoding and for several, one on top of the other
 */
export function decoderFor(contentEncoding: string | undefined, declared: number | undefined): Transform | undefined {
  if (contentEncoding === undefined) return undefined
  const encoding = contentEncoding.trim().toLowerCase()
  if (encoding === '' || encoding === 'identity') return undefined
  const make = Object.hasOwn(decoders, encoding) ? decoders[encoding] : undefined
  if (!make) throw new AppError('ENCODING_UNSUPPORTED', 'The Content-Encoding is not one of gzip, deflate, br, zstd')
  return make({ chunkSize: Math.min(largest, Math.max(smallest, (declared ?? largest) * 8)) })
}
