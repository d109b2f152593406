import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError, silentLogger, systemClock } from '@splitstream/kernel'
import type { Message } from 'kafkajs'
import { expect, it, onTestFinished } from 'vitest'
import { openLocalLog } from '../log/local-log.ts'
import { BrokerAccess } from './access.ts'
import { Brokers } from './brokers.ts'
import { PartitionWriter } from './partition-writer.ts'
import { Reachability } from './reachability.ts'
import { asBatch } from './record.ts'

it('leaves a send that failed what it sends: it may be under way all the same', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-writer-'))
  const shared = { clock: systemClock, logger: silentLogger }
  const spool = await openLocalLog({ dir, partitions: 1, minFreeBytes: 0, ...shared })
  onTestFinished(async () => {
    await spool.stop()
    await rm(dir, { recursive: true, force: true })
  })
  const sent: Message[] = []
  const send = async (_: number, messages: readonly Message[]): Promise<never> => {
    sent.push(...messages)
    throw new AppError('UNAVAILABLE', 'Kafka did not acknowledge')
  }
  const access = new BrokerAccess(shared)
  const reachability = new Reachability(new Brokers(['127.0.0.1:1']), access, systemClock, silentLogger)
  const gate = { isOpen: true, untilOpen: async () => undefined }
  const common = { encode: asBatch, reachability, gate, spool, reserve: () => undefined, ...shared }
  const writer = new PartitionWriter({ partition: 0, producer: { send }, ...common }, false)

  const bytes = Buffer.from(new Uint8Array(64 << 10).fill(7).buffer)
  expect(await writer.append({ partition: 0, count: 1, bytes, transfer: true })).toBeUndefined()
  expect(spool.stats().partitions[0]!.end).toBe(1)
  expect(sent.map(({ value }) => value?.length)).toEqual([64 << 10])
})
