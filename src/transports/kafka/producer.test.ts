import { noMetrics, silentLogger, systemClock } from '@splitstream/kernel'
import type { Kafka, RecordMetadata } from 'kafkajs'
import { expect, it, vi } from 'vitest'
import { Brokers } from './brokers.ts'
import { plainAccess } from './kafka.fixture.ts'
import { KafkaProducer } from './producer.ts'
import { Reachability } from './reachability.ts'

const right: RecordMetadata = { topicName: 'events', partition: 2, errorCode: 0, baseOffset: '41' }

/** A producer whose brokers acknowledge a send with this, as kafkajs hands it on. */
function answering(metadata: readonly RecordMetadata[]) {
  const disconnect = vi.fn(async () => undefined)
  const made = { connect: async () => undefined, disconnect, send: async () => metadata }
  const kafka = { producer: () => made } as unknown as Kafka
  const reachability = new Reachability(new Brokers([]), plainAccess(), systemClock, silentLogger)
  reachability.stop()
  const seconds = noMetrics.histogram('', '', [])
  const shared = { topic: 'events', compression: 'none', reachability, clock: systemClock, seconds } as const
  return { producer: new KafkaProducer({ kafka, ...shared }), disconnect }
}

const send = (producer: KafkaProducer): Promise<string> => producer.send(2, [{ partition: 2, value: 'x' }])

it('takes the offset of what was sent', async () => {
  const { producer, disconnect } = answering([right])
  expect(await send(producer)).toBe('41')
  expect(disconnect).not.toHaveBeenCalled()
})

it.each([
  ['nothing', []],
  ['another partition', [{ ...right, partition: 1 }]],
  ['one more partition', [right, { ...right, partition: 1 }]],
  ['an error', [{ ...right, errorCode: 19 }]],
  ['no offset', [{ ...right, baseOffset: undefined as unknown as string }]],
  ['an offset that is none', [{ ...right, baseOffset: '-1' }]],
])('does not take %s for an acknowledgement, and throws the client away', async (_, metadata) => {
  const { producer, disconnect } = answering(metadata)
  const sent = send(producer)
  await expect(sent).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('something else') })
  await vi.waitFor(() => expect(disconnect).toHaveBeenCalledOnce())
})
