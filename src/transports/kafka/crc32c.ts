import { createRequire } from 'node:module'

/** CRC-32C (Castagnoli) of parts that follow one another, as an unsigned number. */
export type Crc32c = (parts: readonly Buffer[]) => number

type Native = (bytes: Buffer, before?: number) => number

const require = createRequire(import.meta.url)
const kafkajsOwn = require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number

/** kafkajs's, byte by byte in JavaScript: 0.5 ms for 200 KB. */
export const slow: Crc32c = (parts) => kafkajsOwn(Buffer.concat(parts))

/** By instructions of the processor, a tenth of that. @param load throws where there is no build for the platform */
export function fastest(load: () => Native): Crc32c {
  try {
    const native = load()
    const fast: Crc32c = (parts) => parts.reduce((sum, part) => native(part, sum), 0)
    return fast(check.parts) === check.sum ? fast : slow
  } catch {
    return slow
  }
}

/** What the algorithm's definition gives as its check, in two parts. */
const check = { parts: [Buffer.from('1234'), Buffer.from('56789')], sum: 0xe3069283 }

/** @node-rs/crc32 has builds for Linux, macOS and Windows; elsewhere it is kafkajs's own. */
export const crc32c = fastest(() => (require('@node-rs/crc32') as { crc32c: Native }).crc32c)
