import { expect, it } from 'vitest'
import { call, database, define, one, shop } from './worker-stage.fixture.ts'

it('a step begins to wait for its event though another one has halted the saga meanwhile', async () => {
  const step = {
    id: 'paid',
    waitFor: { type: 'paid', match: { subject: 'o-1' }, timeout: '1h', onTimeout: 'continue' },
  }
  const branches = [[step], [{ id: 'bad', call: call('/bad') }], [{ id: 'slow', call: call('/slow') }]]
  const pivot = { id: 'pivot', call: call('/pivot'), pivot: true }
  await one.publish('halting', define([pivot, { id: 'all', parallel: branches }]))
  shop.answer('/bad', () => ({ status: 404 }))
  // It keeps the saga in the memory of its worker, so that the step does not ask again.
  const slow = Promise.withResolvers<object>()
  shop.answer('/slow', () => slow.promise)
  await database.postgres.tx(async (tx) => {
    await tx.query('LOCK TABLE waits IN ACCESS EXCLUSIVE MODE')
    const { id } = await one.start('halting', null)
    await one.until(id, 'needs_attention')
  })
  const waiting = async () =>
    (await database.postgres.query<{ step: string }>('SELECT step FROM waits')).map((w) => w.step)
  await expect.poll(waiting, { timeout: 3_000 }).toEqual(['paid'])
  slow.resolve({})
}, 20_000)
