import { expect, it } from 'vitest'
import { tenant } from './worker.fixture.ts'
import { another, call, define, one, shop } from './worker-stage.fixture.ts'

it('a participant that is away does not fill the worker: sagas of others have their turn', async () => {
  const small = await another('small', 30)
  await one.stop()
  const retry = { attempts: 1_000, initial: '100ms', factor: 1, max: '100ms', within: '1h' }
  // Of two definitions, so two participants to their breakers.
  await small.publish('away', define([{ id: 'ship', call: call('/away'), retry }]))
  await small.publish('well', define([{ id: 'ship', call: call('/ship'), retry }]))
  shop.answer('/away', () => ({ status: 503 }))
  await Promise.all(Array.from({ length: 60 }, () => small.start('away', null)))
  const blocked = () => small.worker.participants.blocked(tenant, 'away/shop', false)
  await expect.poll(blocked, { timeout: 10_000 }).toMatch(/calls failed/)
  const { id } = await small.start('well', null)
  const from = performance.now()
  await small.until(id, 'completed')
  expect(performance.now() - from).toBeLessThan(15_000)
  expect(small.worker.held).toBeLessThanOrEqual(30)
}, 40_000)
