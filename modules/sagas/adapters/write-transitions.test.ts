import { systemRandom, uuidv7 } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Start, Transition } from '../app/transition.ts'
import { startDatabase } from '../app/worker.fixture.ts'
import { newSaga } from './transitions.fixture.ts'
import { registerWorker } from './workers.ts'
import { writeTransitions } from './write-transitions.ts'

let database: Awaited<ReturnType<typeof startDatabase>>
let worker: Awaited<ReturnType<typeof registerWorker>>

beforeAll(async () => {
  database = await startDatabase()
})
afterAll(() => database.stop())
beforeEach(async () => {
  await database.postgres.query('TRUNCATE sagas, starts')
  worker = await registerWorker(database.postgres, 'test', 60_000)
})

const write = (group: readonly Transition[]): Promise<Map<string, number>> =>
  database.postgres.tx((tx) => writeTransitions(tx, 'sagas', worker.id, group))
const start = (more: Partial<Start> = {}): Start => ({ ...newSaga(worker.fence).start, ...more })
const newKey = (): Uint8Array => systemRandom.bytes(16)

const rowOf = async (id: string) => {
  const [row] = await database.postgres.query<Record<string, unknown>>(
    `SELECT version, tenant, name, owner = $2 AS held, extract(epoch FROM due_at)::float8 * 1000 AS due,
       extract(epoch FROM ended_at)::float8 * 1000 AS ended, status, seq, problem, journal, alias
     FROM sagas WHERE id = $1`,
    [id, worker.id],
  )
  return row
}
const eventsOf = (id: string) => database.postgres.query('SELECT key, event FROM starts WHERE saga_id = $1', [id])

// Each has statements of its own.
describe.each<[string, () => Start[]]>([
  ['alone', () => []],
  ['in a group', () => [start(), start()]],
])('%s', (_, others) => {
  it('a start writes what it says', async () => {
    const [key, alias] = [newKey(), uuidv7(systemRandom, Date.now())]
    const one = start({
      key,
      alias,
      event: true,
      version: 7,
      lines: 'two\n"lines" \\u0000\n',
      problem: 'half \ud83d one',
    })
    expect([...(await write([...others(), one]))]).toContainEqual([one.id, 0])
    expect(await rowOf(one.id)).toEqual({
      ...{ version: 7, tenant: one.tenant, name: 'order', held: true, due: null, ended: null, status: 'running' },
      ...{ seq: 1, problem: 'half \ufffd one', journal: one.lines, alias },
    })
    expect(await eventsOf(one.id)).toEqual([{ key: Buffer.from(key), event: true }])
  })

  it('one that is not held is due when it says, without a key or an alias', async () => {
    const one = start({ release: { dueAt: 1_700_000_000_123 } })
    await write([one, ...others()])
    expect(await rowOf(one.id)).toMatchObject({ held: null, due: 1_700_000_000_123, alias: null })
    expect(await eventsOf(one.id)).toEqual([])
  })

  it('a key makes one saga, and an id another', async () => {
    const first = start({ key: newKey() })
    expect((await write([first, ...others()])).has(first.id)).toBe(true)
    const again = start({ key: first.key })
    expect((await write([again, ...others()])).has(again.id)).toBe(false)
    expect(await rowOf(again.id)).toBeUndefined()
    expect((await write([start({ id: first.id, lines: 'again\n' }), ...others()])).has(first.id)).toBe(false)
    expect(await rowOf(first.id)).toMatchObject({ seq: 1, journal: first.lines })
  })

  it('the later of two at the same instant, with the same key, is refused', async () => {
    const key = newKey()
    const [one, two] = [start({ key }), start({ key })]
    let second: Promise<unknown> | undefined
    await database.postgres.tx(async (tx) => {
      await writeTransitions(tx, 'sagas', worker.id, [one])
      second = write([two, ...others()])
      second.catch(() => undefined)
      await expect.poll(() => blocked()).toBe(1)
    })
    await expect(second).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(await rowOf(two.id)).toBeUndefined()
  })

  it('a move says what the saga has come to, and is before what was', async () => {
    const { start: first, move } = newSaga(worker.fence)
    await write([first])
    const ended = { release: { dueAt: null }, endedAt: 1_700_000_000_456, status: 'completed' } as const
    expect([...(await write([{ ...move, ...ended, problem: 'half \ud83d' }, ...others()]))]).toContainEqual([
      move.id,
      0,
    ])
    expect(await rowOf(move.id)).toMatchObject({
      ...{ held: null, due: null, ended: 1_700_000_000_456, status: 'completed', seq: 2, problem: 'half \ufffd' },
      journal: 'move\nstart\n',
    })
  })

  it('one that gives the saga free is due at once when there is mail that it has not seen', async () => {
    const { start: first, move } = newSaga(worker.fence)
    await write([first])
    await database.postgres.query('UPDATE sagas SET mail = 5 WHERE id = $1', [first.id])
    const later = { release: { dueAt: 1_700_000_000_000 } }
    expect((await write([{ ...move, ...later, mailSeen: 4 }, ...others()])).get(move.id)).toBe(5)
    expect((await rowOf(move.id))!.due).toBeGreaterThan(1_700_000_000_000)
  })
})

/** Statements that wait for a lock. */
const blocked = async (): Promise<number> =>
  (await database.postgres.query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)).length
