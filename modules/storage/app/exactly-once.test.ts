import { recordHeaderBytes, recordVersion } from '@splitstream/ingest/contract'
import type { LogRecord } from '@splitstream/kernel'
import { beforeEach, describe, expect, it } from 'vitest'
import { EventsTable } from '../adapters/events-table.ts'
import { as, clickhouse } from '../adapters/read/reader.fixture.ts'
import { encode, insertEvents, type TestEvent } from '../adapters/read/rows.fixture.ts'
import { bodyOf, cutBlock } from '../domain/block.ts'
import { SeenIndex, timeKind } from '../domain/seen-index.ts'
import { Coverage } from './coverage.ts'
import { dropDuplicates } from './drop-duplicates.ts'
import { FirstVerdicts } from './first-verdicts.ts'
import { warmIndex } from './warm-index.ts'

/* What is stored once of what is sent more often, against the real engine. */

const call = () => as('system')
const hour = 3_600_000
const now = Date.UTC(2026, 5, 1)
let table: EventsTable
let next: number

beforeEach(async () => {
  table = new EventsTable(clickhouse)
  next = 0
  await clickhouse.command({ sql: 'TRUNCATE TABLE events' }, call())
})

/** A process that stores: it has an index of its own. */
class Storer {
  readonly verdicts = new FirstVerdicts()
  readonly index: SeenIndex

  constructor(index = new SeenIndex(10_000)) {
    this.index = index
  }

  /** Stores the events as a block of a partition; gives the ids of those that it did not drop. */
  async store(events: readonly TestEvent[], partition = 0, { first = next, fails = false } = {}): Promise<string[]> {
    next = Math.max(next, first + events.length)
    const records = events.map((event, i) => recordOf(encode(event, 0), partition, first + i))
    const block = cutBlock(partition, first, first + events.length - 1, records)
    const rows = await dropDuplicates(block, await this.verdicts.doubts(block, this.index), table, call())
    if (rows.length > 0 && !fails) await table.insert(bodyOf(rows), `${partition}:${first}`, call())
    return [...rows].map(({ offset }) => events[offset - first]!.id)
  }
}

function recordOf(row: Uint8Array, partition: number, baseOffset: number): LogRecord {
  const header = Buffer.alloc(recordHeaderBytes(1))
  header[0] = recordVersion
  header.writeUInt32LE(1, 1)
  header.writeUInt32LE(row.length, 5)
  return { partition, baseOffset, count: 1, bytes: Buffer.concat([header, row]), appendedAt: 0, corrupt: false }
}

const event = (id: string, more: Partial<TestEvent> = {}): TestEvent => ({
  id,
  key: BigInt(id.length) * 1_000_003n + BigInt(id.charCodeAt(0)),
  time: '2026-06-01T00:00:00Z',
  received: now,
  ...more,
})

describe('an event that is sent again', () => {
  it('with another time is stored once, while its key is in the window', async () => {
    const storer = new Storer()
    expect(await storer.store([event('a'), event('b')])).toEqual(['a', 'b'])
    expect(await storer.store([event('a', { time: '2026-06-01T00:00:01Z' }), event('c')])).toEqual(['c'])
  })

  it('with a time where it had none, and without one where it had one, is stored once', async () => {
    const storer = new Storer()
    await storer.store([event('a', { untimed: true }), event('b')])
    const later = { received: now + 5_000, time: (now + 5_000) * 1_000 }
    expect(await storer.store([event('a', { ...later }), event('b', { ...later, untimed: true })])).toEqual([])
  })

  it('with another time is not taken for another event that has the same key', async () => {
    const storer = new Storer()
    await storer.store([event('a', { key: 7n })])
    expect(await storer.store([event('b', { key: 7n, time: '2026-06-02T00:00:00Z' })])).toEqual(['b'])
  })

  it('is sought as it was the first time when the block before was not stored', async () => {
    const storer = new Storer()
    await storer.store([event('a')])
    const again = [event('a', { time: '2026-06-01T00:00:01Z' }), event('b')]
    expect(await storer.store(again, 0, { fails: true })).toEqual(['b'])
    let bare = 0
    const { findAnywhere } = table
    table.findAnywhere = (tenant, keys, within) => {
      bare += keys.length
      return findAnywhere.call(table, tenant, keys, within)
    }
    expect(await storer.store(again, 0, { first: 1 })).toEqual(['b'])
    expect(bare).toBe(1)
  })
})

describe('an event that another process stored', () => {
  it('is stored once when it is sent again with another subject, once its keys are read in', async () => {
    const [here, there] = [new Storer(), new Storer()]
    const coverage = new Coverage(new Map())
    await there.store([event('a', { subject: 'x' }), event('b')], 1)
    await coverage.extend(here.index, table, new Map([[1, next]]), call())
    expect(await here.store([event('a', { subject: 'y' }), event('c')])).toEqual(['c'])
    await there.store([event('d')], 1)
    await there.store([event('e')], 2)
    const size = here.index.size
    await coverage.extend(here.index, table, new Map([1, 2].map((partition) => [partition, next])), call())
    expect(here.index.size - size).toBe(2)
    expect(await here.store([event('d'), event('e')])).toEqual([])
  })
})

describe('an index that is filled at the start', () => {
  const minutesAgo = (minutes: number) => now - minutes * 60_000
  /** Received so long ago, all at their time. */
  const punctual = (count: number, minutes: number): TestEvent[] =>
    Array.from({ length: count }, (_, i) => ({
      id: `${minutes}-${i}`,
      received: minutesAgo(minutes),
      time: minutesAgo(minutes) * 1_000,
      key: BigInt(minutes * 1_000 + i),
    }))
  const tomorrow = (now + 20 * hour) * 1_000

  it('takes no other event for doubtful because one before its window was of tomorrow, and still knows that one', async () => {
    const ahead = { id: 'ahead', key: 9_999_999n, received: minutesAgo(120), time: tomorrow }
    await insertEvents(clickhouse, [ahead, ...punctual(100, 120), ...punctual(50, 10)], call())
    const index = await warmIndex(table, 80, call())
    expect(index.add(1, 2, now * 1_000, timeKind.own, 0)).toBe('new')
    expect(index.add(9_999_999, 0, tomorrow, timeKind.own, 0)).toBe('forgotten')
    expect(index.add(120_001, 0, minutesAgo(120) * 1_000, timeKind.own, 0)).toBe('forgotten')
    expect(index.add(10_001, 0, minutesAgo(10) * 1_000, timeKind.own, 0)).toBe('seen')
    expect(index.add(120_099, 0, minutesAgo(120) * 1_000, timeKind.own, 0)).toBe('seen')
  })

  it.each([1, 30, 49, 50, 51, 130, 149])('has the %i events that came last', async (keys) => {
    await insertEvents(clickhouse, [...punctual(100, 120), ...punctual(50, 10)], call())
    expect((await warmIndex(table, keys, call())).size).toBe(keys)
  })

  it('is told by the table of what is ahead within its window, too', async () => {
    const ahead = { id: 'ahead', key: 9_999_999n, received: minutesAgo(10), time: tomorrow }
    await insertEvents(clickhouse, [ahead, ...punctual(50, 10)], call())
    const index = await warmIndex(table, 100, call())
    for (let i = 0; i < 1_000; i++) index.add(i, 3, now * 1_000 + i, timeKind.own, 0)
    expect(index.add(9_999_999, 0, tomorrow, timeKind.own, 0)).toBe('forgotten')
    expect(index.add(1, 4, now * 1_000 + 1_000, timeKind.own, 0)).toBe('new')
  })
})
