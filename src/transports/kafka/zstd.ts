import { promisify } from 'node:util'
import zlib from 'node:zlib'
import kafkajs from 'kafkajs'

/**
 * Up to here it is done in the loop, at most 0.6 ms for what is to be compressed: the way to another thread and back costs two to
 * three times as much CPU as 32 KB of events themselves. Bytes.
 */
const small = { plain: 512 << 10, compressed: 64 << 10 }
/** Of one write into the result: Node's 16 KiB are a way to the other thread and back each. Bytes. */
const chunkSize = 64 << 10
const compressing = { chunkSize, params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 } }

const compressFar = promisify(zlib.zstdCompress)
const decompressFar = promisify(zlib.zstdDecompress)

const compress = async ({ buffer }: { readonly buffer: Buffer }): Promise<Buffer> =>
  buffer.length <= small.plain ? zlib.zstdCompressSync(buffer, compressing) : await compressFar(buffer, compressing)

const decompress = async (bytes: Buffer): Promise<Buffer> =>
  bytes.length <= small.compressed
    ? zlib.zstdDecompressSync(bytes, { chunkSize })
    : await decompressFar(bytes, { chunkSize })

// Built into Node; kafkajs itself brings gzip alone.
kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({ compress, decompress })
