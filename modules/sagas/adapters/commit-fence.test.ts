import { systemRandom, uuidv7 } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Start, Transition } from '../app/transition.ts'
import { startDatabase, tenant } from '../app/worker.fixture.ts'
import { writeTransitions } from './commit-statement.ts'
import { claimDue } from './sagas-table.ts'
import { registerWorker } from './workers.ts'

let database: Awaited<ReturnType<typeof startDatabase>>
let worker: Awaited<ReturnType<typeof registerWorker>>
let move: Transition

beforeAll(async () => {
  database = await startDatabase()
})
afterAll(() => database.stop())

/** A saga that the worker has begun, and its next transition, which is under way. */
beforeEach(async () => {
  worker = await registerWorker(database.postgres, 'test', 60_000)
  const free = { mailSeen: 0, mailTaken: [], outbox: [], endedAt: null, end: undefined, release: undefined }
  const id = uuidv7(systemRandom, Date.now())
  const one = { ...free, tenant, id, fence: worker.fence, status: 'running', problem: null } as const
  const start: Start = {
    ...{ ...one, seq: 0, lines: 'start\n' },
    ...{ name: 'order', version: 1, key: undefined, alias: undefined, event: false },
  }
  move = { ...one, seq: 1, lines: 'move\n' }
  expect(await write(start)).toBe(true)
})

const write = async (transition: Transition): Promise<boolean> =>
  (await database.postgres.tx((tx) => writeTransitions(tx, 'sagas', worker.id, [transition]))).has(transition.id)

it('a transition of its owner is written, once', async () => {
  expect(await write(move)).toBe(true)
  // The count of transitions alone is another one.
  expect(await write(move)).toBe(false)
})

it('one from before the same worker took the saga over again is not: the fencing number alone is another one', async () => {
  await database.postgres.query('UPDATE sagas SET owner = NULL, due_at = clock_timestamp() WHERE id = $1', [move.id])
  const [claimed] = await claimDue(database.postgres, worker.id, 1)
  expect(claimed).toMatchObject({ id: move.id, seq: 1 })
  expect(await write(move)).toBe(false)
  expect(await write({ ...move, fence: claimed!.fence })).toBe(true)
})

it('one of a saga that was given free is not: the owner alone is another one', async () => {
  await database.postgres.query('UPDATE sagas SET owner = NULL WHERE id = $1', [move.id])
  expect(await write(move)).toBe(false)
})
