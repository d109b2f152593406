import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { IngestAppend } from '@splitstream/ingest/contract'
import { AppError, encodePosition, systemCall, systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectPostgres } from '../../../src/engines/postgres/driver.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/engines/postgres/embedded.ts'
import { migratePostgres, moduleUrl } from '../../../src/engines/postgres/migrate.ts'
import { replayDeadLetters } from '../app/replay-dead-letters.ts'
import { DeadLetters, type LetterReader, pieceBytes } from './dead-letters.ts'
import { claimProgress } from './progress.ts'

/* Against the real Postgres: of letters that are large a bounded part is in memory, and damaged ones are the operator's. */

const mib = 1 << 20
const acme = { tenant: 'acme', operator: false }
const call = systemCall(systemClock, 60_000, new AbortController().signal, 'acme')
let folder: string
let server: EmbeddedPostgres
let postgres: ReturnType<typeof connectPostgres>
let letters: DeadLetters

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-letters-'))
  server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
  await migratePostgres(server, fileURLToPath(new URL('../../../migrations/postgres/', import.meta.url)))
  postgres = connectPostgres({ url: moduleUrl(server.url, 'storage'), applicationName: 'test' })
  letters = new DeadLetters(postgres)
})

afterAll(async () => {
  await postgres?.close()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

beforeEach(() => postgres.query('DELETE FROM dead_letters'))

/** Letters 0-0, 0-1, … with events of these sizes; gives their ids as they are listed. */
async function bury(...sizes: number[]): Promise<string[]> {
  const progress = await claimProgress(postgres, 0)
  for (const [offset, size] of sizes.entries()) {
    const event = Buffer.alloc(size, offset)
    await progress.bury([{ tenant: 'acme', offset, code: 'SOME_CODE', reason: 'why', event }])
  }
  return sizes.map((_, offset) => `0-${offset}`).toReversed()
}

async function pages(limit: number): Promise<{ ids: string[]; bytes: number }[]> {
  const found = []
  for (let before: string | null | undefined; before !== null; ) {
    const page = await letters.list(acme, { limit, ...(before !== undefined && { before }) })
    const bytes = page.letters.reduce((sum, { event }) => sum + event.length, 0)
    found.push({ ids: page.letters.map(({ id }) => id), bytes })
    before = page.next
  }
  return found
}

it('are listed in pages of bounded bytes, all of them once and in order', async () => {
  const ids = await bury(1, 3 * mib, 20 * mib, 3 * mib, 3 * mib, 3 * mib, 100, 0, pieceBytes, 5)
  const found = await pages(1_000)
  expect(found.flatMap((page) => page.ids)).toEqual(ids)
  for (const page of found) expect(page.bytes <= pieceBytes || page.ids.length === 1).toBe(true)
  expect(found.length).toBeLessThan(ids.length)
})

it('are listed in pages of bounded number, too', async () => {
  const ids = await bury(1, 2, 3, 4, 5)
  expect((await pages(2)).map((page) => page.ids)).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)])
})

it('are listed on from where a page ended, also when its letters are deleted meanwhile', async () => {
  const ids = await bury(1, 2, 3, 4)
  const first = await letters.list(acme, { limit: 2 })
  for (const { id } of first.letters) await letters.remove(acme, id)
  const second = await letters.list(acme, { limit: 2, before: first.next! })
  expect(second.letters.map(({ id }) => id)).toEqual(ids.slice(2))
  expect((await letters.list(acme, { limit: 2, before: second.next! })).next).toBeNull()
})

/** What is appended, and how often; the third append is refused when it is to be. */
function ingestOf(appended: string[][], refused?: number): IngestAppend {
  return {
    append: async ({ body }) => {
      expect(body.length).toBeLessThanOrEqual(pieceBytes + 1_000)
      const lines = Buffer.from(body).toString('latin1').split('\n').slice(0, -1)
      if (appended.length === refused) {
        const errors = [{ index: 0, code: 'EVENT_INVALID', detail: 'bad' }]
        throw new AppError('BATCH_REFUSED', 'none', { details: { accepted: 0, rejected: 1, errors } })
      }
      appended.push(lines)
      const position = encodePosition(new Map([[appended.length % 2, appended.length]]))
      return { accepted: lines.length, rejected: 0, duplicates: 0, position, errors: [] }
    },
  }
}

const sizes = [3 * mib, 3 * mib, 3 * mib, 1 * mib, pieceBytes, 2 * mib]

it('are replayed in pieces, whatever they are together', async () => {
  const ids = await bury(...sizes)
  const appended: string[][] = []
  const ingest = ingestOf(appended)
  const dry = await replayDeadLetters({ letters, ingest }, { ids, dryRun: true, operator: false }, call)
  expect([dry, appended]).toEqual([{ dryRun: true, found: 6, replayable: 6 }, []])
  const { receipt } = await replayDeadLetters({ letters, ingest }, { ids, dryRun: false, operator: false }, call)
  expect(appended.map((lines) => lines.map(({ length }) => length))).toEqual([
    [3 * mib, 3 * mib],
    [3 * mib, 1 * mib],
    [pieceBytes],
    [2 * mib],
  ])
  const position = encodePosition(
    new Map([
      [1, 3],
      [0, 4],
    ]),
  )
  expect(receipt).toEqual({ accepted: 6, rejected: 0, duplicates: 0, position, errors: [] })
})

it('that are refused end the replay, which says where, and those before are marked', async () => {
  const ids = await bury(...sizes)
  const replay = replayDeadLetters({ letters, ingest: ingestOf([], 2) }, { ids, dryRun: false, operator: false }, call)
  await expect(replay).rejects.toMatchObject({ code: 'BATCH_REFUSED', details: { errors: [{ index: 4 }] } })
  const marked = await postgres.query<{ id: string }>(
    'SELECT id FROM dead_letters WHERE replayed_at IS NOT NULL ORDER BY id',
  )
  expect(marked.map(({ id }) => id)).toEqual(['0-0', '0-1', '0-2', '0-3'])
})

describe('damaged bytes, which may be of any tenant', () => {
  const ids = ['0-1']
  const admin = { tenant: 'default', operator: false }
  const operator = { tenant: 'default', operator: true }
  const damaged = { tenant: 'default', code: 'LOG_CORRUPT', reason: 'why', event: Buffer.from('raw') }

  beforeEach(async () => {
    const progress = await claimProgress(postgres, 0)
    await progress.bury([
      { ...damaged, offset: 0, code: 'SOME_CODE' },
      { ...damaged, offset: 1 },
    ])
  })

  it('are shown to the operator alone', async () => {
    const listed = async (reader: LetterReader, more: { code?: string; before?: string } = {}) =>
      (await letters.list(reader, { limit: 10, ...more })).letters.map(({ id }) => id)
    expect([await listed(operator), await listed(admin)]).toEqual([['0-1', '0-0'], ['0-0']])
    expect([await listed(operator, { code: 'LOG_CORRUPT' }), await listed(admin, { code: 'LOG_CORRUPT' })]).toEqual([
      ids,
      [],
    ])
    const before = (await letters.list(operator, { limit: 1 })).next!
    expect([await listed(operator, { before }), await listed(admin, { before })]).toEqual([['0-0'], ['0-0']])
    expect([(await letters.get(operator, '0-1'))?.id, await letters.get(admin, '0-1')]).toEqual(['0-1', undefined])
    expect([(await letters.events(operator, ids)).length, await letters.events(admin, ids)]).toEqual([1, []])
  })

  it('are replayed and deleted by the operator alone', async () => {
    const replay = (reader: LetterReader) =>
      replayDeadLetters(
        { letters, ingest: ingestOf([]) },
        { ids, dryRun: false, event: {}, operator: reader.operator },
        { ...call, ...reader },
      )
    expect(await replay(admin)).toEqual({ dryRun: false, found: 0, replayable: 0 })
    expect(await replay(operator)).toMatchObject({ found: 1, receipt: { accepted: 1 } })
    await letters.markReplayed(admin, ids)
    expect([await letters.remove(admin, '0-1'), await letters.remove(operator, '0-1')]).toEqual([false, true])
  })
})
