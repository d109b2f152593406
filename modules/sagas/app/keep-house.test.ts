import { type Logger, silentLogger, systemClock, systemRandom, uuidv7 } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { leastId } from '../adapters/saga-rows.ts'
import { keepHouse } from './keep-house.ts'
import { startDatabase } from './worker.fixture.ts'

const dayMs = 86_400_000
let database: Awaited<ReturnType<typeof startDatabase>>

beforeAll(async () => {
  database = await startDatabase()
})
afterAll(() => database.stop())
beforeEach(async () => {
  await database.postgres.query(`UPDATE housekeeping SET begun_at = '-infinity'`)
})

const signal = new AbortController().signal
const tidy = (retainKeysDays = 365, logger = silentLogger) => {
  const { postgres } = database
  const retain = { retainMs: 30 * dayMs, retainKeysMs: retainKeysDays * dayMs }
  return keepHouse({ postgres, clock: systemClock, logger, ...retain }, signal)
}
const count = async (sql: string): Promise<number> =>
  (await database.postgres.query<{ n: number }>(`SELECT count(*)::integer AS n FROM ${sql}`))[0]!.n
const partitions = () => count(`pg_inherits WHERE inhparent = 'sagas'::regclass`)

async function makeWeek(at: number, ended: boolean): Promise<string> {
  const monday = Math.floor((at + 3 * dayMs) / (7 * dayMs)) * 7 * dayMs - 3 * dayMs
  const name = `sagas_${new Date(monday).toISOString().slice(0, 10).replaceAll('-', '')}`
  const id = leastId(monday + 1)
  await database.postgres.query(
    `CREATE TABLE ${name} PARTITION OF sagas FOR VALUES FROM ('${leastId(monday)}') TO ('${leastId(monday + 7 * dayMs)}')`,
  )
  await database.postgres.query(
    `INSERT INTO sagas (id, version, tenant, name, fence, status, journal, ended_at)
     VALUES ($1, 1, 't', 'n', 1, 'x', '', CASE WHEN $2::boolean THEN to_timestamp($3::float8 / 1000) END)`,
    [id, ended, at],
  )
  const keys = [Buffer.from(name), Buffer.from(`${name} event`)]
  await database.postgres.query('INSERT INTO starts VALUES ($1, $3, false), ($2, $3, true)', [...keys, id])
  return name
}

it('drops the weeks of long ago, with the keys of their sagas, unless one goes on', async () => {
  const ended = await makeWeek(Date.now() - 50 * dayMs, true)
  const open = await makeWeek(Date.now() - 60 * dayMs, false)
  const young = await makeWeek(Date.now() - 20 * dayMs, true)
  const before = await partitions()
  await tidy()
  expect(await partitions()).toBe(before - 1)
  const left = await database.postgres.query<{ key: Buffer }>('SELECT key FROM starts ORDER BY saga_id')
  // The key of an event that started a saga is known for longer than the saga.
  const keys = [open, young].flatMap((name) => [name, `${name} event`])
  expect(left.map(({ key }) => key.toString()).sort()).toEqual([...keys, `${ended} event`].sort())
  expect(await count(`sagas WHERE tenant = 't'`)).toBe(2)
  expect(await count(`pg_class WHERE relname = '${ended}'`)).toBe(0)
})

describe('a week of long ago in which a saga goes on', () => {
  const at = Date.now() - 200 * dayMs
  let week: string
  /** Sagas, by what they are called in the test. */
  let ids: Map<string, string>
  let lines: unknown[]
  const logger: Logger = { ...silentLogger, warn: (message, fields) => void lines.push([message, fields]) }
  const clear = () =>
    database.postgres.query(`WITH gone AS (DELETE FROM ${week} RETURNING id)
      DELETE FROM starts USING gone WHERE saga_id = id`)

  beforeAll(async () => {
    week = await makeWeek(at, false)
  })
  beforeEach(async () => {
    lines = []
    ids = new Map()
    await clear()
  })
  afterAll(async () => {
    await clear()
    await database.postgres.query(`DROP TABLE ${week}`)
  })

  async function make(
    names: readonly string[],
    ended: number | undefined,
    parent?: string,
    startedAt = at,
  ): Promise<void> {
    for (const name of names) ids.set(name, uuidv7(systemRandom, startedAt + ids.size))
    const start = { e: 'start', t: 0, at, in: { parent: 'text' }, ...(parent && { from: { parent: ids.get(parent) } }) }
    await database.postgres.query(
      `WITH made AS (
         INSERT INTO sagas (id, version, tenant, name, fence, status, journal, ended_at)
         SELECT id, 1, 't', 'n', 1, 'x', $2, to_timestamp($3::float8 / 1000) FROM unnest($1::uuid[]) AS id)
       INSERT INTO starts SELECT convert_to(name || kind, 'UTF8'), id, kind <> ''
       FROM unnest($1::uuid[], $4::text[]) AS n (id, name), unnest(ARRAY['', ' event']) AS kind`,
      [
        names.map((name) => ids.get(name)),
        `{"e":"end","t":1}\n${JSON.stringify(start)}\n`,
        ended ?? null,
        names.map((name) => name),
      ],
    )
  }
  const left = async (table = week) => {
    const rows = await database.postgres.query<{ id: string }>(`SELECT id FROM ${table} ORDER BY id`)
    return rows.map(({ id }) => [...ids].find(([, known]) => known === id)?.[0])
  }
  const keys = async () => {
    const rows = await database.postgres.query<{ key: Buffer }>(
      'SELECT key FROM starts WHERE NOT event ORDER BY saga_id',
    )
    return rows.map(({ key }) => key.toString()).filter((name) => ids.has(name))
  }
  const names = Array.from({ length: 20_000 }, (_, n) => `${n}`)

  it('keeps no others that ended long ago, nor the keys that made them', async () => {
    await make(['open'], undefined)
    await make(names, at)
    await make(['ended lately'], Date.now() - 29 * dayMs)
    await tidy(365, logger)
    expect(await left()).toEqual(['open', 'ended lately'])
    expect(await keys()).toEqual(['open', 'ended lately'])
    expect(await count(`starts WHERE event AND key = '0 event'`)).toBe(1)
    const kept = { sagas: expect.any(Number), oldest: ids.get('open') }
    expect(lines).toEqual([['sagas of long ago have not ended, and are kept', kept]])
  })

  it('keeps children for as long as their parent may have to undo them', async () => {
    await make(['open'], undefined)
    await make(['child'], at, 'open')
    await make(['grandchild'], at, 'child')
    await make(['gone'], at)
    await make(['child of the gone'], at, 'gone')
    await tidy()
    // Its parent went in the same statement.
    await database.postgres.query(`UPDATE housekeeping SET begun_at = '-infinity'`)
    await tidy()
    expect(await left()).toEqual(['open', 'child', 'grandchild'])
    expect(await keys()).toEqual(['open', 'child', 'grandchild'])
  })

  it('keeps them in the weeks after it too, though all others there have ended', async () => {
    const [next, later] = [at + 7 * dayMs, at + 14 * dayMs]
    const second = await makeWeek(next, true)
    const third = await makeWeek(later, true)
    await make(['open'], undefined)
    await make(['child'], at, 'open', next)
    await make(['grandchild'], at, 'child', later)
    await tidy()
    expect([await left(), await left(second), await left(third)]).toEqual([['open'], ['child'], ['grandchild']])
    expect(await keys()).toEqual(['open', 'child', 'grandchild'])
    // Without their parent they go, though there is another saga that goes on.
    await make(['another'], undefined)
    await database.postgres.query('DELETE FROM sagas WHERE id = $1', [ids.get('open')])
    await database.postgres.query(`UPDATE housekeeping SET begun_at = '-infinity'`)
    await tidy()
    expect(await count(`pg_class WHERE relname = ANY('{${second},${third}}')`)).toBe(0)
    expect(await left()).toEqual(['another'])
  })
})

it('forgets the events that started sagas when their own time is over', async () => {
  const gone = await makeWeek(Date.now() - 150 * dayMs, true)
  const other = await makeWeek(Date.now() - 100 * dayMs, true)
  await tidy(125)
  const left = await database.postgres.query<{ key: Buffer }>('SELECT key FROM starts')
  const keys = left.map(({ key }) => key.toString())
  expect(keys).not.toContain(`${gone} event`)
  expect(keys).toContain(`${other} event`)
})

it('gives up soon when somebody reads an old week for long, and then tries again', async () => {
  await makeWeek(Date.now() - 80 * dayMs, true)
  const before = await partitions()
  await database.postgres.tx(async (tx) => {
    await tx.query('SELECT count(*) FROM sagas')
    await expect(tidy()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    // Nobody else had to wait for more than that.
    await database.postgres.query('SELECT count(*) FROM sagas')
  })
  expect(await partitions()).toBe(before)
  await tidy()
  expect(await partitions()).toBe(before - 1)
})

it('makes the weeks to come', async () => {
  await database.postgres.query('DROP TABLE sagas_other')
  await tidy()
  expect(await count(`pg_class WHERE relname = 'sagas_other'`)).toBe(1)
})

it('forgets events of a day ago, and what was refused long ago', async () => {
  const { postgres } = database
  await postgres.query(
    `INSERT INTO early_events SELECT 't', '\\x01', int4send(n), now() - CASE WHEN n < 12000 THEN interval '25 hours' ELSE interval '23 hours' END, '{}'
     FROM generate_series(1, 12010) n`,
  )
  await postgres.query(
    `INSERT INTO outbox_refused SELECT n, 't', '{}', 'c', 'd', now() - n * interval '1 day' FROM generate_series(1, 40) n`,
  )
  await tidy()
  expect(await count('early_events')).toBe(11)
  expect(await count('outbox_refused')).toBe(29)
})

it('is done once an hour, by whoever comes first', async () => {
  const { postgres } = database
  const seed = () =>
    postgres.query(`INSERT INTO outbox_refused VALUES (1000, 't', '{}', 'c', 'd', now() - interval '99 days')`)
  await seed()
  await Promise.all([tidy(), tidy(), tidy()])
  expect(await count('outbox_refused WHERE id = 1000')).toBe(0)
  await seed()
  await tidy()
  expect(await count('outbox_refused WHERE id = 1000')).toBe(1)
})
