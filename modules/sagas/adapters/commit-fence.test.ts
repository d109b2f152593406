import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Transition } from '../app/transition.ts'
import { startDatabase } from '../app/worker.fixture.ts'
import { claimDue } from './sagas-table.ts'
import { newSaga } from './transitions.fixture.ts'
import { registerWorker } from './workers.ts'
import { writeTransitions } from './write-transitions.ts'

let database: Awaited<ReturnType<typeof startDatabase>>
let worker: Awaited<ReturnType<typeof registerWorker>>
let move: Transition

beforeAll(async () => {
  database = await startDatabase()
})
afterAll(() => database.stop())

const write = (group: readonly Transition[]): Promise<Map<string, number>> =>
  database.postgres.tx((tx) => writeTransitions(tx, 'sagas', worker.id, group))

/** The next transition, which is under way, of a saga that the worker has begun. */
const begun = async (): Promise<Transition> => {
  const saga = newSaga(worker.fence)
  expect((await write([saga.start])).size).toBe(1)
  return saga.move
}

// Each has a statement of its own.
describe.each<[string, () => Promise<Transition[]>]>([
  ['alone', async () => []],
  ['beside a move', async () => [await begun()]],
  ['beside a start', async () => [newSaga(worker.fence).start]],
])('%s', (_, others) => {
  beforeEach(async () => {
    worker = await registerWorker(database.postgres, 'test', 60_000)
    move = await begun()
  })

  const isWritten = async (transition: Transition): Promise<boolean> => {
    const beside = await others()
    const written = await write([transition, ...beside])
    expect(beside.filter(({ id }) => !written.has(id))).toEqual([])
    return written.has(transition.id)
  }

  it('a transition of its owner is written, once', async () => {
    expect(await isWritten(move)).toBe(true)
    // The count of transitions alone is another one.
    expect(await isWritten(move)).toBe(false)
  })

  it('one from before the same worker took the saga over again is not: the fencing number alone is another one', async () => {
    await database.postgres.query('UPDATE sagas SET owner = NULL, due_at = clock_timestamp() WHERE id = $1', [move.id])
    const [claimed] = await claimDue(database.postgres, worker.id, 1)
    expect(claimed).toMatchObject({ id: move.id, seq: 1 })
    expect(await isWritten(move)).toBe(false)
    expect(await isWritten({ ...move, fence: claimed!.fence })).toBe(true)
  })

  it('one of a saga that was given free is not: the owner alone is another one', async () => {
    await database.postgres.query('UPDATE sagas SET owner = NULL WHERE id = $1', [move.id])
    expect(await isWritten(move)).toBe(false)
  })

  it('one of a saga that another worker has is not: the owner alone is another one', async () => {
    const other = await registerWorker(database.postgres, 'other', 60_000)
    await database.postgres.query('UPDATE sagas SET owner = $2 WHERE id = $1', [move.id, other.id])
    expect(await isWritten(move)).toBe(false)
  })

  it('one of another tenant is not', async () => {
    expect(await isWritten({ ...move, tenant: 'another' })).toBe(false)
  })
})
