import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ClickHouse, ClickHouseError, silentLogger, systemCall, systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { EventsTable } from '../../modules/storage/adapters/events-table.ts'
import { encode } from '../../modules/storage/adapters/read/rows.fixture.ts'
import { Refusals } from '../../modules/storage/app/refusals.ts'
import { type Again, storeRange } from '../../modules/storage/app/store-range.ts'
import { Rows } from '../../modules/storage/domain/rows.ts'
import { connectClickHouse } from '../../src/engines/clickhouse/client.ts'
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from '../../src/engines/clickhouse/embedded.ts'
import { migrateClickHouse } from '../../src/engines/clickhouse/migrate.ts'

/* An insert whose outcome nobody knows, or that comes late, against the real engine: its rows are stored, and stored once. */

const migrations = fileURLToPath(new URL('../../migrations/clickhouse', import.meta.url))
const call = (ms = 20_000) => systemCall(systemClock, ms, new AbortController().signal)
const tooLarge = new ClickHouseError(241, 'MEMORY_LIMIT_EXCEEDED', 'Memory limit exceeded', true)

let dir: string
let engine: EmbeddedClickHouse
let clickhouse: ClickHouse & { close(): Promise<void> }

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-late-'))
  engine = await startEmbeddedClickHouse({ dataDir: dir, logger: silentLogger })
}, 60_000)
afterAll(async () => {
  await engine?.stop()
  await rm(dir, { recursive: true, force: true })
})

let databases = 0
beforeEach(async () => {
  const database = `late${++databases}`
  const bare = connectClickHouse({ ...engine, database: 'default' })
  await bare.command({ sql: `CREATE DATABASE ${database}` }, call())
  await bare.close()
  clickhouse = connectClickHouse({ ...engine, database })
  await migrateClickHouse(clickhouse, migrations)
  return () => clickhouse.close()
})

/** Partition 0 has the offsets that 4 divides. */
function rowsOf(count: number, received?: (i: number) => number): Rows {
  const runs = Array.from({ length: count }, (_, i) => {
    const bytes = encode({ id: `${i}`, ...(received && { received: received(i) }) }, 4 * i)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return { record: { count: 1, bytes, view, starts: Uint32Array.of(0, bytes.length) }, base: 4 * i, from: 0, to: 1 }
  })
  return new Rows(runs)
}

/** Stores the rows as a range; gives what was confirmed in all. */
async function stored(rows: Rows, over: ClickHouse = clickhouse, again?: Again): Promise<number> {
  let confirmed = 0
  const progress = {
    split: async () => undefined,
    confirm: async (_range: unknown, count: number) => {
      confirmed += count
    },
  }
  const refusals = new Refusals(systemClock)
  const target = { partition: 0, table: new EventsTable(over), progress, refusals, deadLetter: () => undefined }
  await storeRange(target, { first: 0, last: rows.runs.at(-1)!.base }, rows, [], call(), again)
  return confirmed
}

const figures = async () => {
  const sql = 'SELECT count() AS n, uniqExact(_log_offset) AS offsets FROM events'
  const [row] = await clickhouse.rows<{ n: string; offsets: string }>({ sql }, call())
  return { n: Number(row!.n), offsets: Number(row!.offsets) }
}

/** What happens at the first insert, in place of it. */
const first = (instead: ClickHouse['insert']): ClickHouse => {
  let seen = false
  return {
    ...clickhouse,
    insert: (insert, within) => {
      if (seen) return clickhouse.insert(insert, within)
      seen = true
      return instead(insert, within)
    },
  }
}

it('a range that is cut in two leaves out what an earlier try of the whole has put in late', async () => {
  let late: Promise<unknown> = Promise.resolve()
  const over = first(async (insert) => {
    const whole = Buffer.concat(insert.body as Uint8Array[])
    late = clickhouse.insert({ ...insert, body: slowly(whole) }, call())
    late.catch(() => undefined)
    await begun()
    throw tooLarge
  })
  expect(await stored(rowsOf(40), over)).toBe(40)
  await late.catch(() => undefined)
  expect(await figures()).toEqual({ n: 40, offsets: 40 })
}, 30_000)

it('a block over the end of a month, of which one month is in when the other one fails, is stored once', async () => {
  const rows = rowsOf(40, (i) => (i < 20 ? Date.UTC(2026, 0, 31, 23) : Date.UTC(2026, 1, 1)))
  const over = first(async (insert) => {
    await clickhouse.insert({ ...insert, body: rows.halves()[0].runs.map(({ record }) => record.bytes) }, call())
    throw tooLarge
  })
  expect(await stored(rows, over)).toBe(40)
  expect(await figures()).toEqual({ n: 40, offsets: 40 })
})

it('rows that are gone though their token is known are stored again', async () => {
  const rows = rowsOf(40)
  await stored(rows)
  await clickhouse.command({ sql: 'DELETE FROM events WHERE _log_offset < 80' }, call())
  expect(await figures()).toEqual({ n: 20, offsets: 20 })
  expect(await stored(rows, clickhouse, { alreadyStored: 0, token: '', nonce: 1 })).toBe(40)
  expect(await figures()).toEqual({ n: 40, offsets: 40 })
})

it('waits for the inserts of its own partition, and for no others', async () => {
  const table = new EventsTable(clickhouse)
  const gate = Promise.withResolvers<void>()
  const insert = clickhouse.insert(
    {
      table: 'events',
      columns: ['_log_partition', '_log_offset'],
      format: 'JSONEachRow',
      body: (async function* () {
        yield Buffer.from('{"_log_partition":5,')
        await gate.promise
        yield Buffer.from('"_log_offset":1}')
      })(),
      settings: { insert_deduplication_token: '5:1-1' },
    },
    call(),
  )
  await begun()
  await table.endInserts(0, call())
  await table.endInserts(55, call())
  await expect(table.endInserts(5, call(500))).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  gate.resolve()
  await Promise.all([insert, table.endInserts(5, call())])
})

async function* slowly(whole: Uint8Array): AsyncGenerator<Uint8Array> {
  yield whole.subarray(0, 10)
  await systemClock.sleep(1_500)
  yield whole.subarray(10)
}

/** Until the engine runs an insert. */
async function begun(): Promise<void> {
  const sql = "SELECT count() AS n FROM system.processes WHERE query_kind = 'Insert'"
  for (;;) {
    const [row] = await clickhouse.rows<{ n: string }>({ sql }, call())
    if (Number(row!.n) > 0) return
    await systemClock.sleep(20)
  }
}
