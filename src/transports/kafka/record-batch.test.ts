import { createRequire } from 'node:module'
import fc from 'fast-check'
import type { Message } from 'kafkajs'
import { expect, it } from 'vitest'
import './client.ts'

const require = createRequire(import.meta.url)

/** kafkajs's own way to write a request that sends messages to a partition, with its files as they are now. */
function writer() {
  const produce = require('kafkajs/src/protocol/requests/produce/v7/request')
  const createRequest = require('kafkajs/src/protocol/request')
  return async (messages: readonly Message[], compression: number): Promise<Buffer> => {
    const topicData = [{ topic: 'events', partitions: [{ partition: 3, firstSequence: 5, messages }] }]
    const producer = { acks: -1, timeout: 3_500, transactionalId: null, producerId: 7, producerEpoch: 1 }
    const request = produce({ ...producer, compression, topicData })
    return (await createRequest({ request, correlationId: 9, clientId: 'test' })).buffer
  }
}

/** kafkajs as it comes, loaded beside the one that is in use. */
function untouched(): ReturnType<typeof writer> {
  const inUse = Object.entries(require.cache).filter(([path]) => path.includes('kafkajs'))
  for (const [path] of inUse) delete require.cache[path]
  try {
    return writer()
  } finally {
    for (const path of Object.keys(require.cache)) if (path.includes('kafkajs')) delete require.cache[path]
    Object.assign(require.cache, Object.fromEntries(inUse))
  }
}

it('is there before kafkajs reads the file, with its first send', () => {
  const readers = Object.keys(require.cache).filter((path) =>
    /kafkajs.src.protocol.requests.(produce|fetch).v/.test(path),
  )
  expect(readers).toEqual([])
})

it('writes what kafkajs writes, for records of any size', async () => {
  const theirs = untouched()
  const ours = writer()
  const bytes = fc.oneof(fc.nat(64), fc.integer({ min: 4_000, max: 4_200 }), fc.nat(50_000))
  const message = fc.record({
    key: fc.option(bytes),
    value: fc.option(bytes),
    headers: fc.dictionary(
      fc.string(),
      bytes.map((length) => Buffer.alloc(length, 'h')),
      { maxKeys: 2 },
    ),
    timestamp: fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }).map(String),
  })
  const filled = (length: number | null): Buffer | null => (length === null ? null : Buffer.alloc(length, 'event'))
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 5 }),
      fc.constantFrom(0, 1),
      async (sizes, compression) => {
        const messages = sizes.map((one) => ({ ...one, key: filled(one.key), value: filled(one.value) }))
        expect((await ours(messages, compression)).equals(await theirs(messages, compression))).toBe(true)
      },
    ),
    { numRuns: 100 },
  )
})
