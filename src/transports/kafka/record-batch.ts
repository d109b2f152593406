import { createRequire } from 'node:module'
import { crc32c } from './crc32c.ts'
import { Encoder, partsOf } from './encoder.ts'

/** What kafkajs hands over, as its producers do. */
interface Batch {
  readonly compression: number
  readonly firstTimestamp: unknown
  readonly maxTimestamp: unknown
  readonly lastOffsetDelta: number
  readonly transactional: boolean
  readonly producerId: unknown
  readonly producerEpoch: number
  readonly firstSequence: number
  /** Each written already. */
  readonly records: readonly Encoder[]
}

const magic = 2
const transactionalBit = 16
/** Of what comes between the length of a batch and its attributes: leader epoch, magic, checksum. */
const headBytes = 4 + 1 + 4

/** The format of a batch of records (message format 2, https://kafka.apache.org/documentation/#recordbatch). */
async function recordBatch(batch: Batch): Promise<Encoder> {
  const body = new Encoder()
    .writeInt16(batch.compression | (batch.transactional ? transactionalBit : 0))
    .writeInt32(batch.lastOffsetDelta)
    .writeInt64(batch.firstTimestamp)
    .writeInt64(batch.maxTimestamp)
    .writeInt64(batch.producerId)
    .writeInt16(batch.producerEpoch)
    .writeInt32(batch.firstSequence)
    .writeInt32(batch.records.length)
  if (batch.compression === 0) body.writeEncoderArray(batch.records)
  else body.writeBuffer(await lookupCodec(batch.compression).compress(new Encoder().writeEncoderArray(batch.records)))

  return new Encoder()
    .writeInt64(0) // the first offset: the broker gives it
    .writeInt32(headBytes + body.size())
    .writeInt32(0) // the leader's epoch, as kafkajs has it
    .writeInt8(magic)
    .writeUInt32(crc32c(partsOf(body)))
    .writeEncoder(body)
}

/*
 * kafkajs 2.2.4 makes a batch one piece twice on its way, and computes its checksum in JavaScript: both cost more than the rest of
 * a send. Here neither happens. The function is not exported, so it is replaced in its file, which kafkajs reads with its first
 * send or fetch: kafkajs is pinned to this version.
 */
const require = createRequire(import.meta.url)
const { lookupCodec } = require('kafkajs/src/protocol/message/compression') as {
  lookupCodec(type: number): { compress(records: Encoder): Promise<Buffer> }
}
const file = require('kafkajs/src/protocol/recordBatch/v0/index.js') as { RecordBatch: typeof recordBatch }
file.RecordBatch = recordBatch
