import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { recordHeaderBytes, recordVersion } from '@splitstream/ingest/contract'
import { type Consumption, noMetrics, noTracer, silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { connectPostgres } from '../../../src/engines/postgres/driver.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/engines/postgres/embedded.ts'
import { migratePostgres, moduleUrl } from '../../../src/engines/postgres/migrate.ts'
import { type LocalLog, openLocalLog } from '../../../src/transports/log/local-log.ts'
import { EventsTable } from '../adapters/events-table.ts'
import { readProgress } from '../adapters/progress.ts'
import { as, clickhouse, dir } from '../adapters/read/reader.fixture.ts'
import { encode } from '../adapters/read/rows.fixture.ts'
import { SeenIndex } from '../domain/seen-index.ts'
import { BlockWatch } from './block-watch.ts'
import { Confirmed } from './confirmed.ts'
import { consumeLane } from './consume-lane.ts'
import { Coverage } from './coverage.ts'
import { FirstVerdicts } from './first-verdicts.ts'
import { Refusals } from './refusals.ts'

/*
 * Rows that ClickHouse refuses with a code of which nobody knows whether the row or the engine is to blame: a constraint that throws,
 * FUNCTION_THROW_IF_VALUE_IS_NON_ZERO (395). The log, ClickHouse and Postgres are the real ones.
 */

let server: EmbeddedPostgres
let postgres: ReturnType<typeof connectPostgres>
let log: LocalLog
let consumption: Consumption | undefined
let logs = 0

beforeAll(async () => {
  server = await startEmbeddedPostgres({ dataDir: join(dir, 'postgres') })
  await migratePostgres(server, fileURLToPath(new URL('../../../migrations/postgres/', import.meta.url)))
  postgres = connectPostgres({ url: moduleUrl(server.url, 'storage'), applicationName: 'test' })
})
afterAll(async () => {
  await postgres?.close()
  await server?.stop()
})

beforeEach(async () => {
  log = await openLocalLog({ dir: join(dir, `log${++logs}`), partitions: 2, clock: systemClock, logger: silentLogger })
})
afterEach(async () => {
  await consumption?.stop()
  await log.stop()
  await refuse()
  await clickhouse.command({ sql: 'TRUNCATE TABLE events' }, as('system'))
  for (const table of ['progress', 'pending', 'dead_letters', 'losses']) await postgres.query(`DELETE FROM ${table}`)
})

/** From now on the engine throws at rows of these types; at none, when none is given. */
async function refuse(...types: string[]): Promise<void> {
  await clickhouse.command({ sql: 'ALTER TABLE events DROP CONSTRAINT IF EXISTS thrower' }, as('system'))
  if (types.length === 0) return
  const list = types.map((type) => `'${type}'`).join(',')
  const sql = `ALTER TABLE events ADD CONSTRAINT thrower CHECK throwIf(type IN (${list})) = 0`
  await clickhouse.command({ sql }, as('system'))
}

/** Events of these types, as one record. */
async function append(types: readonly string[], partition = 0): Promise<void> {
  const first = log.end(partition) ?? 0
  const rows = types.map((type, i) => encode({ id: `${partition}-${first + i}`, type, key: BigInt(first + i) }, 0))
  const header = Buffer.alloc(recordHeaderBytes(rows.length))
  header[0] = recordVersion
  header.writeUInt32LE(rows.length, 1)
  for (const [i, row] of rows.entries()) header.writeUInt32LE(row.length, 5 + 4 * i)
  await log.append([{ partition, count: rows.length, bytes: Buffer.concat([header, ...rows]) }], as('acme'))
}

async function store(): Promise<void> {
  const confirmed = new Confirmed(systemClock, { end: () => undefined })
  const deps = {
    table: new EventsTable(clickhouse),
    postgres,
    index: new SeenIndex(10_000),
    verdicts: new FirstVerdicts(),
    refusals: new Refusals(systemClock, { attempts: 2, ms: 100 }),
    coverage: new Coverage(new Map()),
    confirmed,
    clock: systemClock,
    logger: silentLogger,
    watch: new BlockWatch({ clock: systemClock, metrics: noMetrics, tracer: noTracer }),
    limits: { maxEvents: 1_000, maxBytes: 1 << 20, lingerMs: 0, insertBudgetMs: 20_000 },
    onDeadLetter: () => undefined,
    onChecked: () => undefined,
    onProgress: () => undefined,
  }
  consumption = await log.consume('storage', (lane) => consumeLane(lane, deps))
}

const letters = async () =>
  (await postgres.query<{ id: string }>('SELECT id FROM dead_letters ORDER BY log_partition, log_offset')).map(
    ({ id }) => id,
  )
const pending = async () => (await postgres.query<{ n: number }>('SELECT count(*)::int AS n FROM pending'))[0]!.n
const stored = async () =>
  (await clickhouse.rows<{ id: string }>({ sql: 'SELECT id FROM events ORDER BY id' }, as('system'))).map(
    ({ id }) => id,
  )
/** What is confirmed, with nothing pending, and how many rows that is. */
async function settled(next: Record<number, number>, rows: number): Promise<void> {
  const progress = async () => {
    const all = await readProgress(postgres)
    const at = Object.fromEntries(all.map((one) => [one.partition, one.next]))
    return {
      at: { 0: 0, 1: 0, ...at },
      rows: all.reduce((sum, one) => sum + one.storedRows, 0),
      pending: await pending(),
    }
  }
  await expect.poll(progress, { timeout: 25_000 }).toEqual({ at: { 0: 0, 1: 0, ...next }, rows, pending: 0 })
  expect(await stored()).toHaveLength(rows)
}

it('one among others is a dead letter, and the others are stored', async () => {
  await refuse('bad')
  await append(['t', 't', 't', 'bad', 't', 't', 't', 't', 't'])
  await append(['bad', 't', 'bad'])
  await store()
  await settled({ 0: 12 }, 9)
  expect(await letters()).toEqual(['0-3', '0-9', '0-11'])
})

it('one that came alone is a dead letter when what comes behind it is stored', async () => {
  await refuse('bad')
  await append(['bad'])
  await store()
  // Nothing else is there: nobody can say that the engine is not to blame.
  await expect.poll(pending).toBe(1)
  await systemClock.sleep(3_000)
  expect([await letters(), await pending()]).toEqual([[], 1])
  await append(['bad', 't'])
  await settled({ 0: 3 }, 1)
  expect(await letters()).toEqual(['0-0', '0-1'])
})

it('one that came alone is a dead letter when another partition is stored', async () => {
  await refuse('bad')
  await append(['bad'])
  await store()
  const others = setInterval(() => void append(['t'], 1), 300)
  await expect
    .poll(letters, { timeout: 25_000 })
    .toEqual(['0-0'])
    .finally(() => clearInterval(others))
})

it('all of them, as in an outage, make no dead letter, and all are stored when it is over', async () => {
  await refuse('t')
  await append(Array.from({ length: 500 }, () => 't'))
  await append(['t'], 1)
  await store()
  await expect.poll(pending).toBeGreaterThan(1)
  await systemClock.sleep(6_000)
  expect(await letters()).toEqual([])
  expect(await pending()).toBeLessThan(60)
  await refuse()
  await settled({ 0: 500, 1: 1 }, 501)
})
