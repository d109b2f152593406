import {
  AppError,
  type Postgres,
  type PostgresTx,
  silentLogger,
  systemClock,
  systemRandom,
  uuidv7,
} from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { registerWorker } from '../adapters/workers.ts'
import { GroupCommit } from './group-commit.ts'
import type { Start, Transition } from './transition.ts'
import { startDatabase, tenant } from './worker.fixture.ts'

let database: Awaited<ReturnType<typeof startDatabase>>
let worker: number | undefined
let fence: string

beforeAll(async () => {
  database = await startDatabase()
})
afterAll(() => database.stop())
beforeEach(async () => {
  await database.postgres.query('TRUNCATE sagas, starts, mail, workers, outbox')
  const row = await registerWorker(database.postgres, 'test', 60_000)
  worker = row.id
  fence = row.fence
})

const common = (): Omit<Transition, 'id' | 'seq' | 'lines'> => ({
  tenant,
  fence,
  status: 'running',
  problem: null,
  release: undefined,
  mailSeen: 0,
  mailTaken: [],
  outbox: [],
  endedAt: null,
  end: undefined,
})
const newId = (): string => uuidv7(systemRandom, Date.now())
const start = (id = newId(), key?: Uint8Array): Start => ({
  ...common(),
  id,
  seq: 0,
  lines: 'start\n',
  name: 'order',
  version: 1,
  key,
  alias: undefined,
  event: false,
})
const move = (id: string, seq: number, more: Partial<Transition> = {}): Transition => ({
  ...common(),
  id,
  seq,
  lines: `move ${seq}\n`,
  ...more,
})

/** Postgres as it is, until it is told to fail: before what it is asked for, or after it, when that is written. */
function failing(when: { before?: number; after?: number }): Postgres {
  const lost = () =>
    new AppError('UNAVAILABLE', 'The connection to Postgres is lost', { details: { outcome: 'unknown' } })
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    if (when.before && when.before-- > 0) throw lost()
    const result = await work()
    if (when.after && when.after-- > 0) throw lost()
    return result
  }
  const { postgres } = database
  return {
    query: <T>(text: string, values?: readonly unknown[], name?: string) =>
      /^(commit|move|start) .*sagas/.test(name ?? '')
        ? guarded(() => postgres.query<T>(text, values, name))
        : postgres.query<T>(text, values, name),
    tx: <T>(fn: (tx: PostgresTx) => Promise<T>) => guarded(() => postgres.tx(fn)),
    listen: postgres.listen,
  }
}

const nothing = () => undefined
const group = (postgres: Postgres) =>
  new GroupCommit({
    postgres,
    clock: systemClock,
    logger: silentLogger,
    owner: () => worker,
    onMail: nothing,
    onFree: nothing,
  })

const journalOf = async (id: string): Promise<string | undefined> =>
  (await database.postgres.query<{ journal: string }>('SELECT journal FROM sagas WHERE id = $1', [id]))[0]?.journal

describe('a commit', () => {
  it('puts the newest lines first and counts transitions', async () => {
    const commits = group(database.postgres)
    const { id } = start()
    expect(await commits.commit(start(id))).toEqual({ kind: 'kept', mail: 0 })
    expect(await commits.commit(move(id, 1))).toEqual({ kind: 'kept', mail: 0 })
    expect(await journalOf(id)).toBe('move 1\nstart\n')
  })

  it('is refused with another fencing number, and with another owner', async () => {
    const commits = group(database.postgres)
    const { id } = start()
    await commits.commit(start(id))
    expect(await commits.commit(move(id, 1, { fence: '999' }))).toEqual({ kind: 'lost' })
    await database.postgres.query('UPDATE sagas SET owner = NULL WHERE id = $1', [id])
    expect(await commits.commit(move(id, 1))).toEqual({ kind: 'lost' })
    expect(await journalOf(id)).toBe('start\n')
  })

  it('is lost without a lease', async () => {
    worker = undefined
    expect(await group(database.postgres).commit(start())).toEqual({ kind: 'lost' })
  })

  it('is lost with its lease, also when there is a new one', async () => {
    const commits = group(failing({ before: 1 }))
    const { id } = start()
    await group(database.postgres).commit(start(id))
    const late = [commits.commit(start()), commits.commit(move(id, 1))]
    worker = (await registerWorker(database.postgres, 'again', 60_000)).id
    expect(await Promise.all(late)).toEqual([{ kind: 'lost' }, { kind: 'lost' }])
    expect(await database.postgres.query('SELECT id FROM sagas')).toEqual([{ id }])
  })

  it.each([
    ['before it is written', { before: 2 }],
    ['after it was written', { after: 1 }],
    ['after, and then before', { after: 1, before: 0 }],
  ])('whose connection breaks %s is written once', async (_, when) => {
    const commits = group(failing({ ...when }))
    const [other, ...ids] = Array.from({ length: 6 }, newId)
    await Promise.all([other!, ...ids].map((id) => group(database.postgres).commit(start(id))))
    const outcomes = await Promise.all([
      ...ids.map((id) => commits.commit(move(id, 1))),
      commits.commit(start(newId(), new Uint8Array(16).fill(1))),
      commits.commit(move(other!, 9)),
    ])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['kept', 'kept', 'kept', 'kept', 'kept', 'kept', 'lost'])
    for (const id of ids) expect(await journalOf(id)).toBe('move 1\nstart\n')
    expect(await database.postgres.query('SELECT 1 FROM sagas')).toHaveLength(7)
  })

  it.each([{ before: 1 }, { after: 1 }])('with an event to emit writes it once: %o', async (when) => {
    const { id } = start()
    await group(database.postgres).commit(start(id))
    const commits = group(failing({ ...when }))
    expect((await commits.commit(move(id, 1, { outbox: ['{"id":"1"}'] }))).kind).toBe('kept')
    expect(await database.postgres.query('SELECT event FROM outbox')).toEqual([{ event: '{"id":"1"}' }])
  })

  it('that is refused has no side effects', async () => {
    const { id } = start()
    const commits = group(database.postgres)
    await commits.commit(start(id))
    expect((await commits.commit(move(id, 1, { fence: '1', outbox: ['{}'] }))).kind).toBe('lost')
    expect(await database.postgres.query('SELECT 1 FROM outbox')).toEqual([])
  })

  it('of a saga is not taken for that of another owner at the same instant', async () => {
    const { id } = start()
    const commits = group(database.postgres)
    await commits.commit(start(id))
    const outcomes = await Promise.all([
      commits.commit(start(id)),
      commits.commit(move(id, 1)),
      commits.commit(move(id, 1, { fence: '1', lines: 'stale\n', outbox: ['{}'] })),
      commits.commit(start(id)),
    ])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['exists', 'kept', 'lost', 'exists'])
    expect(await journalOf(id)).toBe('move 1\nstart\n')
    expect(await database.postgres.query('SELECT 1 FROM outbox')).toEqual([])
  })

  it('that Postgres cannot take fails alone', async () => {
    const commits = group(database.postgres)
    const outcomes = await Promise.allSettled([
      commits.commit(start()),
      commits.commit({ ...start(), lines: 'a NUL \u0000 in it\n' }),
      commits.commit(start()),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })
})

describe('a key', () => {
  it('starts one saga, however often it comes in one group or in several', async () => {
    const key = new Uint8Array(16).fill(3)
    const [one, two] = [group(database.postgres), group(database.postgres)]
    const outcomes = await Promise.all([one, one, two, two, one].map((commits) => commits.commit(start(newId(), key))))
    expect(outcomes.filter(({ kind }) => kind === 'kept')).toHaveLength(1)
    const [kept] = await database.postgres.query<{ id: string }>('SELECT id FROM sagas')
    const others = outcomes.filter(({ kind }) => kind !== 'kept')
    expect(others).toEqual(others.map(() => ({ kind: 'exists', sagaId: kept!.id })))
  })
})
