import {
  type Logger,
  type Postgres,
  type PostgresTx,
  silentLogger,
  systemClock,
  systemRandom,
  uuidv7,
} from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { acquireLock } from '../adapters/locks.ts'
import { type Letter, sendMail } from '../adapters/mail.ts'
import { registerWait, takeWaits } from '../adapters/waits.ts'
import { registerWorker } from '../adapters/workers.ts'
import { GroupCommit } from './group-commit.ts'
import type { SagaEnd, Start, Transition } from './transition.ts'
import { startDatabase, tenant } from './worker.fixture.ts'

/*
 * Transactions that lock the same rows: those of a deadlock wait for a second, and one of them fails. Each test has them meet at
 * the worst moment.
 */
let database: Awaited<ReturnType<typeof startDatabase>>
let owner: number
let fence: string
let warnings: unknown[]
/** Sent after the commit. */
let late: Letter[]
const logger: Logger = { ...silentLogger, warn: (message, fields) => void warnings.push([message, fields]) }

beforeAll(async () => {
  database = await startDatabase()
})
afterAll(() => database?.stop())
beforeEach(async () => {
  warnings = []
  late = []
  await database.postgres.query('TRUNCATE sagas, starts, waits, locks, lock_waiters, mail, workers')
  const row = await registerWorker(database.postgres, 'test', 60_000)
  owner = row.id
  fence = row.fence
})

/** Sagas that the worker runs, in the order of their ids. */
async function make(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, n) => uuidv7(systemRandom, Date.now() - 1_000 + n))
  await database.postgres.query(
    `INSERT INTO sagas (id, version, tenant, name, fence, owner, status, seq, journal)
     SELECT id, 1, $2, 'order', $3, $4, 'running', 1, '' FROM unnest($1::uuid[]) AS id`,
    [ids, tenant, fence, owner],
  )
  return ids
}

const commits = (postgres: Postgres = database.postgres) =>
  new GroupCommit({
    ...{ postgres, clock: systemClock, logger },
    owner: () => owner,
    onMail: () => undefined,
    onFree: (_, letters) => void late.push(...letters),
  })
const end = (id: string, more: SagaEnd): Transition => ({
  ...{
    tenant,
    id,
    fence,
    seq: 1,
    lines: 'end\n',
    status: 'completed',
    problem: null,
    mailSeen: 0,
    mailTaken: [],
    outbox: [],
  },
  ...{ release: { dueAt: null }, endedAt: 1, end: more },
})
const move = (id: string): Transition => ({
  ...end(id, { holdings: false, parent: undefined }),
  endedAt: null,
  end: undefined,
})
const letterTo = (to: string) => ({ tenant, to, body: '{}' })

/** Until so many statements wait for a lock. */
const waiting = (count: number) =>
  expect
    .poll(
      async () =>
        await database.postgres.query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
        ),
      { timeout: 20_000, interval: 5 },
    )
    .toHaveLength(count)

/** Writes to a row, and holds it until it is told to let go: who waits for it finds another version. */
async function hold(id: string): Promise<() => Promise<void>> {
  const gate = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const done = database.postgres.tx(async (tx) => {
    await tx.query('UPDATE sagas SET problem = NULL WHERE tenant = $1 AND id = $2', [tenant, id])
    held.resolve()
    await gate.promise
  })
  await held.promise
  return async () => {
    gate.resolve()
    await done
  }
}

it('an event that comes for a saga while it ends', async () => {
  const [id = ''] = await make(1)
  const key = new Uint8Array(16)
  const wait = { tenant, key, sagaId: id, step: 's', not: undefined }
  await registerWait(database.postgres, wait, fence)
  const taken = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const delivered = database.postgres.tx(async (tx) => {
    const waits = await takeWaits(tx, [wait])
    taken.resolve()
    await gate.promise
    return await sendMail(
      tx,
      waits.map(({ sagaId }) => letterTo(sagaId)),
    )
  })
  await taken.promise
  const ended = commits().commit(end(id, { holdings: true, parent: undefined }))
  await waiting(1)
  gate.resolve()
  expect(await delivered).toEqual([id])
  expect(await ended).toEqual({ kind: 'kept', mail: 1 })
  expect(warnings).toEqual([])
})

it('an event that comes for sagas while they are committed', async () => {
  const ids = await make(3)
  const key = new Uint8Array(16)
  const waits = ids.map((sagaId) => ({ tenant, key, sagaId, step: 's', not: undefined }))
  for (const wait of waits) await registerWait(database.postgres, wait, fence)
  const letGo = await hold(ids[1]!)
  const taken = database.postgres.tx((tx) => takeWaits(tx, waits))
  await waiting(1)
  await letGo()
  expect((await taken).map(({ sagaId }) => sagaId).toSorted()).toEqual(ids)
})

it('mail to sagas that are committed together', async () => {
  const [first = '', second = ''] = await make(2)
  const letGo = await hold(first)
  const sent = database.postgres.tx((tx) => sendMail(tx, [first, second].map(letterTo)))
  await waiting(1)
  const group = commits()
  const moved = Promise.all([group.commit(move(second)), group.commit(move(first))])
  await waiting(2)
  await letGo()
  expect(await sent).toHaveLength(2)
  expect(await moved).toMatchObject([{ kind: 'kept' }, { kind: 'kept' }])
  expect(warnings).toEqual([])
})

it('mail to a parent and its child, which ends', async () => {
  const [parent = '', child = ''] = await make(2)
  const letGo = await hold(parent)
  const sent = database.postgres.tx((tx) => sendMail(tx, [parent, child].map(letterTo)))
  await waiting(1)
  const message = { kind: 'child', step: 's', childId: child, as: 'completed', output: null } as const
  const ended = commits().commit(end(child, { holdings: false, parent: { id: parent, message } }))
  await waiting(2)
  await letGo()
  expect(await sent).toHaveLength(2)
  expect(await ended).toMatchObject({ kind: 'kept' })
  expect(warnings).toEqual([])
})

it('a saga that asks for a lock again while its holder lets go', async () => {
  const { postgres } = database
  const [holder = '', next = ''] = await make(2)
  const lock = { tenant, key: 'k' }
  expect(await acquireLock(postgres, lock, { id: holder, fence }, 's')).toBeDefined()
  expect(await acquireLock(postgres, lock, { id: next, fence }, 's')).toBeUndefined()
  const released = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const pausing: Postgres = {
    ...postgres,
    tx: (work) =>
      postgres.tx((tx) => {
        const query: PostgresTx['query'] = async <T>(text: string, values?: readonly unknown[], name?: string) => {
          const rows = await tx.query<T>(text, values, name)
          if (text.includes('FROM locks')) {
            released.resolve()
            await gate.promise
          }
          return rows
        }
        return work({ query })
      }),
  }
  const ended = commits(pausing).commit(end(holder, { holdings: true, parent: undefined }))
  await released.promise
  const granted = acquireLock(postgres, lock, { id: next, fence }, 's')
  await waiting(1)
  gate.resolve()
  expect(await ended).toMatchObject({ kind: 'kept' })
  expect(await granted).toBeDefined()
  expect(warnings).toEqual([])
})

it('a saga is told later that a lock is free when somebody else is at it: its holder ends without waiting for that', async () => {
  const { postgres } = database
  const [holder = '', next = ''] = await make(2)
  const lock = { tenant, key: 'k' }
  await acquireLock(postgres, lock, { id: holder, fence }, 's')
  await acquireLock(postgres, lock, { id: next, fence }, 's')
  const letGo = await hold(next)
  expect(await commits().commit(end(holder, { holdings: true, parent: undefined }))).toMatchObject({ kind: 'kept' })
  await letGo()
  expect(late).toEqual([{ tenant, to: next, body: '{"kind":"lock","step":"s"}' }])
  expect(await postgres.query('SELECT FROM mail')).toEqual([])
})

// Which of the two goes on first is chance.
it.each([1, 2, 3, 4, 5, 6])('two processes that start sagas with the same keys, try %d', async () => {
  const keys = [1, 2].map((n) => new Uint8Array(16).fill(n))
  const gate = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const start = (key: Uint8Array | undefined): Start => ({
    ...{
      ...move(uuidv7(systemRandom, Date.now())),
      seq: 0,
      name: 'order',
      version: 1,
      key,
      alias: undefined,
      event: true,
    },
  })
  // Both find the first key taken by a third one, which comes to nothing.
  const third = database.postgres
    .tx(async (tx) => {
      await tx.query('INSERT INTO starts (key, saga_id) VALUES ($1, gen_random_uuid())', [Buffer.from(keys[0]!)])
      held.resolve()
      await gate.promise
      throw new Error('rolled back')
    })
    .catch(() => undefined)
  await held.promise
  const both = [keys, keys.toReversed()].map((order) => {
    const group = commits()
    return Promise.all(order.map((key) => group.commit(start(key))))
  })
  await waiting(2)
  gate.resolve()
  await third
  const kinds = (await Promise.all(both)).flat().map(({ kind }) => kind)
  expect(kinds.toSorted()).toEqual(['exists', 'exists', 'kept', 'kept'])
  expect(warnings).toEqual([])
})
