import { type Call, silentLogger, systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Definitions } from '../adapters/definitions.ts'
import { type SagaName, SagaRows } from '../adapters/saga-rows.ts'
import type { Json } from '../domain/json.ts'
import { resultOf } from '../domain/scope.ts'
import type { SagaDeps } from './deps.ts'
import { Ends, hasStopped } from './ends.ts'
import { Plans } from './plans.ts'
import { startSaga } from './start-saga.ts'
import { startDatabase, startWorker, tenant } from './worker.fixture.ts'

type Process = Awaited<ReturnType<typeof startProcess>>

let database: Awaited<ReturnType<typeof startDatabase>>
/** Both have room for one saga. */
let here: Process
let there: Process

/** A process, as far as requests see it. */
async function startProcess(name: string) {
  let looks = 0
  const worker = await startWorker(database.url, {
    ...{ name, capacity: 1 },
    onTurn: ({ id, state, plan }, { entries, t }) => {
      ends.tellTurn(id)
      if (!hasStopped(entries, state)) return
      ends.tell(id, () => ({ status: state.status, problem: null, output: resultOf(plan, state), at: state.at + t }))
    },
  })
  const rows = new SagaRows(worker.postgres)
  const standings = (sagas: readonly SagaName[]) => {
    looks++
    return rows.standings(sagas)
  }
  const ends = new Ends({ clock: systemClock, runsHere: (id) => worker.worker.runs(id), standings })
  const definitions = new Definitions(worker.postgres)
  const plans = new Plans(definitions, () => systemClock.monotonic())
  const parts = {
    postgres: worker.postgres,
    worker: worker.worker,
    definitions,
    plans,
    rows,
    clock: systemClock,
    logger: silentLogger,
  }
  const deps: SagaDeps = { ...parts, ends, answering: new Set() }
  return {
    ...worker,
    looks: () => looks,
    begin: (saga: string, input: Json, waitMs: number, key?: string) =>
      startSaga(deps, { name: saga, input, waitMs }, callOf(key)),
  }
}

const callOf = (idempotencyKey: string | undefined): Call => ({
  tenant,
  principal: 'a-key',
  signal: new AbortController().signal,
  deadline: systemClock.monotonic() + 60_000,
  idempotencyKey,
})

beforeAll(async () => {
  database = await startDatabase()
  here = await startProcess('here')
  there = await startProcess('there')
  const optional = { idempotencyKey: 'optional' }
  await here.publish('rest', {
    ...optional,
    steps: [{ id: 'w', waitFor: { type: 'go', match: { subject: 'go' }, timeout: '1h' } }],
    output: 7,
  })
  await here.publish('quick', { ...optional, steps: [{ id: 'w', wait: { for: '20ms' } }], output: 7 })
  await here.publish('full', { ...optional, steps: [{ id: 'w', wait: { for: '4s' } }] })
})
afterAll(async () => {
  await here?.stop()
  await there?.stop()
  await database?.stop()
})
beforeEach(async () => {
  // What fills a process has ended.
  while (here.worker.held + there.worker.held > 0) await systemClock.sleep(20)
})

/** Has the saga end in `there`: `here` has no room for it. */
async function endThere(id: string): Promise<void> {
  while ((await here.look(id)).worker !== null) await systemClock.sleep(5)
  await here.begin('full', null, 0)
  await there.worker.holdings.deliver([
    { tenant, to: id, message: { kind: 'event', step: 'w', event: { source: '/s', id: '1', data: null } } },
  ])
  expect(await there.until(id, 'completed')).toBeDefined()
}

const newest = async (): Promise<string> =>
  (
    await database.postgres.query<{ id: string }>(
      `SELECT id FROM sagas WHERE name = 'rest' AND ended_at IS NULL ORDER BY id DESC LIMIT 1`,
    )
  )[0]?.id ?? ''

async function untilStarted(): Promise<string> {
  let id = ''
  while (id === '') id = await newest()
  return id
}

describe('who waits for the end of a saga', () => {
  it('is answered soon when it rested and another process ended it', async () => {
    const answer = here.begin('rest', null, 30_000)
    await endThere(await untilStarted())
    const from = performance.now()
    expect(await answer).toMatchObject({ saga: { status: 'completed' }, output: 7, replayed: false })
    expect(performance.now() - from).toBeLessThan(5_000)
  })

  it('is answered soon when the process that was asked had no room for it', async () => {
    await here.begin('full', null, 0)
    const from = performance.now()
    expect(await here.begin('quick', null, 30_000)).toMatchObject({ saga: { status: 'completed' }, output: 7 })
    expect(performance.now() - from).toBeLessThan(3_500)
  })

  it('is answered soon when the same key is sent to a process that does not run it', async () => {
    const first = here.begin('rest', null, 30_000, 'k')
    const id = await untilStarted()
    const again = there.begin('rest', null, 30_000, 'k')
    await endThere(id)
    const from = performance.now()
    expect(await first).toMatchObject({ saga: { id, status: 'completed' }, replayed: false })
    expect(await again).toMatchObject({ saga: { id, status: 'completed' }, output: 7, replayed: true })
    expect(performance.now() - from).toBeLessThan(5_000)
  })

  it('is told, and looks at nothing, while the saga runs in its process', async () => {
    const before = here.looks()
    for (let n = 0; n < 20; n++) expect(await here.begin('quick', null, 30_000)).toMatchObject({ output: 7 })
    expect(here.looks()).toBe(before)
  })
})
