import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { mariadbUnavailable } from '../../../../test/support/mariadb.ts'
import { describeUnless } from '../../../../test/support/suite.ts'
import * as barrier from './barrier.ts'
import { type Effect, forgetSteps, passBarrier, type Reply, type StepCall } from './barrier.ts'
import { bugs } from './bugs.fixture.ts'
import { Effects, type ParticipantDatabase, startMysql, startPostgres, startSqlite } from './databases.fixture.ts'
import { plantBugs } from './planted.fixture.ts'
import { tellOnServer } from './server-stories.fixture.ts'

// initdb fsyncs a thousand files: on a busy disk that takes seconds.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

describeBarrier('Postgres', { start: startPostgres, atOnce: true })
describeBarrier('MariaDB', { start: startMysql, atOnce: true, unavailable: await mariadbUnavailable() })
describeBarrier('SQLite', { start: startSqlite, atOnce: false })

interface Database<Tx> {
  readonly start: () => Promise<ParticipantDatabase<Tx>>
  /** It has several transactions at once, which meet at rows. How they interleave on SQLite: interleavings.test.ts. */
  readonly atOnce: boolean
  readonly unavailable?: string | undefined
}

/** One suite for all dialects. */
function describeBarrier<Tx>(name: string, { start, atOnce, unavailable }: Database<Tx>): void {
  describeUnless(unavailable, `the barrier on ${name}`, () => {
    let database: ParticipantDatabase<Tx>
    let effects: Effects<Tx>
    let saga: string
    let count = 0

    beforeAll(async () => {
      database = await start()
      effects = new Effects(database.sql)
    })

    afterAll(async () => await database.close())

    beforeEach(() => {
      saga = `saga-${++count}`
    })

    const callOf = (operation: 'do' | 'undo', changes: Partial<StepCall> = {}): StepCall => ({
      saga,
      step: 'step',
      operation,
      key: `${saga}-${operation}`,
      fence: 1n,
      target: 'POST /',
      body: { a: 1, b: { c: 2, d: [3] } },
      ...changes,
    })

    const works: Effect<Tx> = async (tx, { operation, key }) => {
      await effects.add(tx, saga, key, operation === 'do' ? 1 : -1)
      return { status: 201, headers: { location: '/1' }, body: { id: 1 } }
    }
    const answers = (reply: Reply): Effect<Tx> => {
      return async (tx, call) => {
        await works(tx, call)
        return reply
      }
    }

    const pass = (call: StepCall, effect = works): Promise<Reply> =>
      passBarrier(database.sql, call, { do: effect, undo: effect })

    const inForce = (): Promise<number> => effects.inForce(saga)

    it('answers copies as the first call, whatever the order of members', async () => {
      expect(await pass(callOf('do'))).toEqual({ status: 201, headers: { location: '/1' }, body: { id: 1 } })
      const again = await pass(callOf('do', { body: { b: { d: [3], c: 2 }, a: 1 } }))
      expect(again).toEqual({
        status: 201,
        headers: { location: '/1', 'idempotent-replayed': 'true' },
        body: { id: 1 },
      })
      expect(await pass(callOf('do', { body: { a: 1, b: { c: 2, d: [4] } } }))).toMatchObject({ status: 422 })
      expect(await pass(callOf('do', { target: 'POST /other' }))).toMatchObject({ status: 422 })
      expect(await inForce()).toBe(1)
    })

    it('gives the undo what the forward call answered', async () => {
      await pass(callOf('do'))
      const effect = vi.fn(works)
      await pass(callOf('undo'), effect)
      expect(effect.mock.lastCall?.[2]).toEqual({ status: 201, headers: { location: '/1' }, body: { id: 1 } })
      expect(await pass(callOf('do'))).toMatchObject({ status: 410 })
    })

    it('keeps a refusal for its key, rolls back what came before it, and tries a new key anew', async () => {
      const refusal = { status: 402, body: { code: 'DECLINED' } }
      expect(await pass(callOf('do'), answers(refusal))).toEqual(refusal)
      expect(await pass(callOf('do'))).toMatchObject(refusal)
      expect(await inForce()).toBe(0)
      expect(await pass(callOf('do', { key: 'new' }), answers(refusal))).toEqual(refusal)
      for (const key of ['new', callOf('do').key]) expect(await pass(callOf('do', { key }))).toMatchObject(refusal)
      expect(await pass(callOf('do', { key: 'newer' }))).toMatchObject({ status: 201 })
      expect(await inForce()).toBe(1)
    })

    it('refuses for good also by an SQL error that the effect has seen', async () => {
      const reply = await pass(callOf('do'), async (tx) => {
        await works(tx, callOf('do'))
        await effects.add(tx, saga, null, null).catch(() => undefined)
        return { status: 400 }
      })
      expect(reply).toEqual({ status: 400 })
      expect(await pass(callOf('do'))).toMatchObject({ status: 400 })
      expect(await inForce()).toBe(0)
    })

    it.each([408, 409, 425, 429, 500, 503])('keeps nothing of a call that ends with %i', async (status) => {
      expect(await pass(callOf('do'), answers({ status }))).toEqual({ status })
      expect(await inForce()).toBe(0)
      expect(await pass(callOf('do'))).toMatchObject({ status: 201 })
      expect(await inForce()).toBe(1)
    })

    it('keeps nothing of a call that throws, and owes an undo that is refused', async () => {
      await expect(pass(callOf('do'), () => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
      expect(await pass(callOf('do'))).toMatchObject({ status: 201 })
      expect(await pass(callOf('undo'), answers({ status: 403 }))).toEqual({ status: 403 })
      expect(await inForce()).toBe(1)
      expect(await pass(callOf('undo'))).toMatchObject({ status: 201 })
      expect(await inForce()).toBe(0)
    })

    it('keeps nothing of a call whose effect comes when its time is over, and undoes nothing then', async () => {
      const slow: Effect<Tx> = async (tx, call) => {
        const reply = await works(tx, call)
        await vi.waitUntil(() => performance.now() > (call.until ?? 0))
        return reply
      }
      const soon = () => ({ until: performance.now() + 20 })
      expect(await pass(callOf('do', soon()), slow)).toMatchObject({ status: 503, body: { code: 'TOO_LATE' } })
      expect(await inForce()).toBe(0)
      expect(await pass(callOf('do', { until: performance.now() + 60_000 }))).toMatchObject({ status: 201 })
      // What was answered before is answered again at any time.
      expect(await pass(callOf('do', { until: 0 }))).toMatchObject({ status: 201 })
      expect(await pass(callOf('undo', soon()), slow)).toMatchObject({ status: 503 })
      expect(await inForce()).toBe(1)
      expect(await pass(callOf('undo'))).toMatchObject({ status: 201 })
      expect(await inForce()).toBe(0)
    })

    it('refuses a token that is older than one seen for another step of the saga', async () => {
      await pass(callOf('do', { fence: 5n }))
      expect(await pass(callOf('do', { step: 'other', fence: 4n }))).toMatchObject({ status: 412 })
      expect(await pass(callOf('do', { step: 'other', fence: 2n ** 52n }))).toMatchObject({ status: 201 })
      expect(await pass(callOf('do', { fence: 5n }))).toMatchObject({ status: 412 })
    })

    it('forgets steps that nobody has touched', async () => {
      await pass(callOf('do'))
      await forgetSteps(database.sql, 60_000)
      expect(await pass(callOf('do', { body: 'another' }))).toMatchObject({ status: 422 })
      await forgetSteps(database.sql, -60_000)
      expect(await pass(callOf('do', { body: 'another' }))).toMatchObject({ status: 201 })
    })

    if (!atOnce) return

    it('says 409 at once while a call for the step runs, to its undo too', async () => {
      const { promise: running, resolve: end } = Promise.withResolvers<void>()
      const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
      const first = pass(callOf('do'), async (tx, call) => {
        begin()
        await running
        return await works(tx, call)
      })
      await begun
      for (const operation of ['do', 'undo'] as const)
        expect(await pass(callOf(operation))).toMatchObject({ status: 409, headers: { 'retry-after': '1' } })
      end()
      expect(await first).toMatchObject({ status: 201 })
      expect(await pass(callOf('undo'))).toMatchObject({ status: 201 })
      expect(await inForce()).toBe(0)
    })

    it('keeps random stories from harm, with calls that run at once', async () =>
      expect(await tell(barrier, 1_000)).toEqual([]))

    it.each(bugs.filter(({ told }) => told === 'servers'))('is seen to fail when $name', async ({ edits }) =>
      expect(await tell(await plantBugs(edits), 1_000)).not.toEqual([]),
    )

    async function tell(kit: Pick<typeof barrier, 'passBarrier'>, stories: number): Promise<string[]> {
      const found: string[] = []
      let seed = 0
      const teller = async () => {
        while (seed < stories && found.length === 0) found.push(...(await tellOnServer(database.sql, seed++, kit)))
      }
      await Promise.all([teller(), teller(), teller(), teller()])
      return found
    }
  })
}
