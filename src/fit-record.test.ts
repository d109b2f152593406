import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRecord } from '@splitstream/ingest/contract'
import { codeOf, type LogRecord, silentLogger, systemCall, systemClock } from '@splitstream/kernel'
import { afterEach, expect, it } from 'vitest'
import { recordOf } from '../modules/ingest/contract/record.fixture.ts'
import { freePorts } from '../test/support/kafka/ports.ts'
import { fitRecord } from './fit-record.ts'
import { openKafkaLog } from './transports/kafka/log.ts'
import { openLocalLog } from './transports/log/local-log.ts'
import { moveRest } from './transports/log/move-rest.ts'

const limits = { maxBytes: 1_000, maxEvents: 10 }
const common = { clock: systemClock, logger: silentLogger, minFreeBytes: 0, partitions: 1 }
const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

const recordWith = (bytes: Uint8Array, count: number, corrupt = false): LogRecord => ({
  ...{ partition: 0, baseOffset: 0, appendedAt: 0 },
  ...{ bytes, count, corrupt },
})

it('leaves alone what fits, cuts what does not, and names the event that never will', () => {
  const small = recordOf([Buffer.alloc(100), Buffer.alloc(100)])
  expect(fitRecord(recordWith(small, 2), limits)).toEqual([{ count: 2, bytes: small }])
  const large = recordOf(Array.from({ length: 30 }, () => Buffer.alloc(100)))
  expect(fitRecord(recordWith(large, 30), limits).map(({ count }) => count)).toEqual([9, 9, 9, 3])
  expect(() => fitRecord(recordWith(recordOf([Buffer.alloc(1_000)]), 1), limits)).toThrow('partition 0, offset 0')
})

it('cuts what is damaged anywhere', () => {
  for (const record of [recordWith(Buffer.alloc(2_500), 7), recordWith(recordOf([Buffer.alloc(2_491)]), 1, true)]) {
    const parts = fitRecord(record, limits)
    expect(parts.map(({ count, bytes }) => [count, bytes.length])).toEqual([
      [1, 1_000],
      [1, 1_000],
      [1, 500],
    ])
    expect(Buffer.concat(parts.map(({ bytes }) => bytes))).toEqual(Buffer.from(record.bytes))
  }
})

/** A local log with these records is moved to a Kafka that is away, and so into its spool. */
async function moved(records: readonly { readonly bytes: Buffer; readonly count: number }[]): Promise<LogRecord[]> {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-fit-'))
  ends.push(() => rm(dir, { recursive: true, force: true }))
  const local = await openLocalLog({ ...common, dir: join(dir, 'log') })
  const call = systemCall(systemClock, 60_000, new AbortController().signal)
  for (const { bytes, count } of records) await local.append([{ partition: 0, bytes, count }], call)
  await local.stop()
  const [port] = await freePorts(1)
  const kafka = await openKafkaLog({
    ...common,
    ...{ brokers: [`127.0.0.1:${port}`], topic: 'nowhere', groupPrefix: 'nowhere', replication: 3, minInSync: 2 },
    ...{ retainMs: 1, compression: 'none', spoolDir: join(dir, 'spool'), maxSpoolBytes: 1 << 30, startMs: 100 },
  })
  try {
    const partsOf = (record: LogRecord) => fitRecord(record, kafka.recordLimits)
    await moveRest({ ...common, from: { ...common, dir: join(dir, 'log') }, to: kafka, partsOf })
  } finally {
    await kafka.stop()
  }
  const spool = await openLocalLog({ ...common, dir: join(dir, 'spool') })
  ends.push(() => spool.stop())
  const found: LogRecord[] = []
  const all = Promise.withResolvers<void>()
  const consumption = await spool.consume('test', async (lane) => {
    const { end } = await lane.bounds()
    for (let next = 0; next < end; next = found.at(-1)!.baseOffset + found.at(-1)!.count) {
      found.push(...(await lane.read(next, { maxEvents: 1e9, maxBytes: 1e9, waitMs: 0 })))
    }
    all.resolve()
    await systemClock.sleep(60_000, lane.signal).catch(() => undefined)
  })
  await all.promise
  await consumption.stop()
  return found
}

it('the rest of a local log moves, whatever the size of its records', async () => {
  const rows = Array.from({ length: 40 }, (_, i) => Buffer.alloc(1 << 20, i + 1))
  const many = Array.from({ length: 70_000 }, (_, i) => Buffer.from(String(i)))
  const found = await moved([
    { bytes: recordOf(rows), count: rows.length },
    { bytes: recordOf(many), count: many.length },
  ])
  expect(found.map(({ count }) => count)).toEqual([31, 9, 65_536, 4_464])
  const moves = found.flatMap(({ bytes }) => {
    const { count, starts } = openRecord(bytes)
    return Array.from({ length: count }, (_, i) => Buffer.from(bytes.subarray(starts[i], starts[i + 1])))
  })
  expect(moves.length).toBe(70_040)
  expect(Buffer.concat(moves).equals(Buffer.concat([...rows, ...many]))).toBe(true)
}, 60_000)

it('what one group has taken and another has not moves too, and then both have taken all', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-fit-'))
  ends.push(() => rm(dir, { recursive: true, force: true }))
  const [from, to] = [join(dir, 'from'), join(dir, 'to')].map((dir) => ({ ...common, dir }))
  const local = await openLocalLog(from!)
  const call = systemCall(systemClock, 60_000, new AbortController().signal)
  for (let i = 0; i < 10; i++)
    await local.append([{ partition: 0, bytes: recordOf([Buffer.from([i])]), count: 1 }], call)
  local.commit('storage', 0, 9)
  local.commit('sagas', 0, 4)
  await local.stop()
  const other = await openLocalLog(to!)
  ends.push(() => other.stop())
  for (let again = 0; again < 2; again++) {
    await moveRest({ ...common, from: from!, to: other, partsOf: (record) => fitRecord(record, limits) })
    expect(other.stats().partitions[0]!.end).toBe(6)
  }
  const after = await openLocalLog(from!)
  expect(['storage', 'sagas'].map((group) => after.committed(group, 0))).toEqual([10, 10])
  await after.stop()
})

it('an event that Kafka would never take stops the start, and stays where it is', async () => {
  const giant = recordOf([Buffer.alloc(33 << 20)])
  const error = await moved([{ bytes: giant, count: 1 }]).catch((caught: unknown) => caught)
  expect(codeOf(error)).toBe('CONFIG_INVALID')
  expect(String(error)).toContain('LINK_EVENTS=local')
}, 60_000)
