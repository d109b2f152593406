import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { codeOf } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectPostgres, type Pool } from '../../../src/engines/postgres/driver.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/engines/postgres/embedded.ts'
import { startFreezingGate } from '../../../src/engines/postgres/freezing-gate.fixture.ts'
import { migratePostgres, moduleUrl } from '../../../src/engines/postgres/migrate.ts'
import { claimProgress, type DeadLetter, type Progress, readProgress } from './progress.ts'

/* What is written to Postgres about a partition, against the real one: by its owner alone, and never in the way of the next. */

let folder: string
let server: EmbeddedPostgres
let url: string
let postgres: Pool

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-progress-'))
  server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
  await migratePostgres(server, fileURLToPath(new URL('../../../migrations/postgres/', import.meta.url)))
  url = moduleUrl(server.url, 'storage')
  postgres = connectPostgres({ url, applicationName: 'test' })
})

afterAll(async () => {
  await postgres?.close()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

beforeEach(() => postgres.query('TRUNCATE progress, pending, dead_letters, losses'))

const letter = (offset: number, event: string): DeadLetter => ({
  tenant: 'acme',
  offset,
  code: `CODE_${offset}`,
  reason: `for {reason}, "${offset}"`,
  event: Buffer.from(event),
})

/** Every write that there is, on a partition with the pending range 0 … 9 and a noted loss. */
const writes: readonly (readonly [string, (progress: Progress) => Promise<void>])[] = [
  ['begin', (p) => p.begin({ first: 10, last: 19 })],
  ['split', (p) => p.split({ first: 0, last: 9 }, 4)],
  ['confirm', (p) => p.confirm({ first: 0, last: 9 }, 10, [])],
  ['confirm with dead letters', (p) => p.confirm({ first: 0, last: 9 }, 8, [letter(3, 'x'), letter(5, 'y')])],
  ['lose', (p) => p.lose({ first: 0, last: 9 }, 2)],
  ['bury', (p) => p.bury([letter(7, 'z')])],
  ['noteLoss', (p) => p.noteLoss(6)],
  ['settleLoss', (p) => p.settleLoss(4, 6)],
  ['settleLoss of none', (p) => p.settleLoss(10, 0)],
]

async function prepared(pool: Pool = postgres): Promise<Progress> {
  const progress = await claimProgress(pool, 0)
  await progress.begin({ first: 0, last: 9 })
  await progress.noteLoss(1)
  return progress
}

/** All that is on record, but for the epoch and times. */
async function recorded() {
  const [progress, pending, letters, losses] = await Promise.all([
    postgres.query('SELECT next_offset::int AS next, stored_rows::int AS stored FROM progress'),
    postgres.query('SELECT first_offset::int AS first, last_offset::int AS last FROM pending ORDER BY 1'),
    postgres.query('SELECT id, tenant, log_offset::int AS at, code, reason, event FROM dead_letters ORDER BY id'),
    postgres.query(`SELECT missing::int, first_offset::int AS first, last_offset::int AS last, settled_at IS NOT NULL AS settled
      FROM losses ORDER BY id`),
  ])
  return { progress, pending, letters, losses }
}

const untouched = {
  progress: [{ next: 0, stored: 0 }],
  pending: [{ first: 0, last: 9 }],
  letters: [],
  losses: [{ missing: 1, first: null, last: null, settled: false }],
}
const row = ({ offset, event, ...rest }: DeadLetter) => ({ ...rest, id: `0-${offset}`, at: offset, event })

describe('what the owner writes', () => {
  const effects: Record<string, object> = {
    begin: { pending: [...untouched.pending, { first: 10, last: 19 }] },
    split: {
      pending: [
        { first: 0, last: 4 },
        { first: 5, last: 9 },
      ],
    },
    confirm: { pending: [], progress: [{ next: 10, stored: 10 }] },
    'confirm with dead letters': {
      pending: [],
      progress: [{ next: 10, stored: 8 }],
      letters: [row(letter(3, 'x')), row(letter(5, 'y'))],
    },
    lose: {
      pending: [],
      progress: [{ next: 10, stored: 2 }],
      losses: [...untouched.losses, { missing: null, first: 0, last: 9, settled: true }],
    },
    bury: { letters: [row(letter(7, 'z'))] },
    noteLoss: { losses: [{ ...untouched.losses[0], missing: 6 }] },
    settleLoss: {
      progress: [{ next: 0, stored: 4 }],
      losses: [{ ...untouched.losses[0], missing: 6, settled: true }],
    },
    'settleLoss of none': { progress: [{ next: 0, stored: 10 }], losses: [] },
  }

  it.each(writes)('%s', async (name, write) => {
    await write(await prepared())
    expect(await recorded()).toEqual({ ...untouched, ...effects[name] })
  })

  it('dead letters of any bytes, each once', async () => {
    const progress = await claimProgress(postgres, 0)
    const all = ['', 'é', '\0\\x00', ''].map((event, offset) => letter(offset, event))
    await progress.bury(all)
    await progress.bury([letter(1, 'another'), letter(4, 'new')])
    expect((await recorded()).letters).toEqual([...all, letter(4, 'new')].map(row))
  })

  it('at once, from many places', async () => {
    const progress = await claimProgress(postgres, 0)
    const ranges = Array.from({ length: 50 }, (_, i) => ({ first: 10 * i, last: 10 * i + 9 }))
    await Promise.all(ranges.map((range) => progress.begin(range)))
    await Promise.all(ranges.map((range, i) => progress.confirm(range, 10, i % 7 ? [] : [letter(range.first, 'x')])))
    const { pending, progress: rows, letters } = await recorded()
    expect([pending, rows, letters.length]).toEqual([[], [{ next: 500, stored: 500 }], 8])
    expect(progress.stored).toBe(500)
  })
})

it.each(writes)('%s of a former owner: CONFLICT, and nothing changes', async (_, write) => {
  const former = await prepared()
  await claimProgress(postgres, 0)
  await expect(write(former).catch((error: unknown) => Promise.reject(codeOf(error)))).rejects.toBe('CONFLICT')
  expect(await recorded()).toEqual(untouched)
})

it('is confirmed up to what is pending, whatever is stored behind it', async () => {
  const progress = await claimProgress(postgres, 0)
  const confirmed = async () => (await readProgress(postgres)).map(({ next }) => next)
  await progress.begin({ first: 0, last: 4 })
  await progress.confirm({ first: 0, last: 4 }, 5, [])
  expect(await confirmed()).toEqual([5])
  await progress.begin({ first: 5, last: 5 })
  await progress.begin({ first: 6, last: 9 })
  await progress.confirm({ first: 6, last: 9 }, 4, [])
  expect(await confirmed()).toEqual([5])
  await progress.confirm({ first: 5, last: 5 }, 1, [])
  expect(await confirmed()).toEqual([10])
})

it.each(writes)(
  'an owner that freezes at any message of %s: the next one has the partition at once',
  async (_, write) => {
    for (let messages = 0, frozen = true; frozen; messages++) {
      await postgres.query('TRUNCATE progress, pending, dead_letters, losses')
      const gate = await startFreezingGate(url)
      const pool = connectPostgres({ url: gate.url, applicationName: 'frozen', max: 1 })
      const owner = await prepared(pool)
      gate.freezeAfter(messages)
      const writing = write(owner).then(
        () => undefined,
        () => undefined,
      )
      await Promise.race([writing, new Promise((resolve) => setTimeout(resolve, 100))])
      frozen = gate.isFrozen
      const from = performance.now()
      await claimProgress(postgres, 0)
      expect(performance.now() - from).toBeLessThan(2_000)
      await gate.stop()
      await writing
      await pool.close()
    }
  },
)
