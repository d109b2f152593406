import { describe, expect, it } from 'vitest'
import { call, database, define, one, shop } from './worker-stage.fixture.ts'

/** A renewal comes every 600 ms; more is left to a busy machine, and far less than the minute that the call may take. */
const patience = { timeout: 10_000 }

/** What others do to a worker that seems to be dead: its next renewal finds no row. */
const declareDead = async () => await database.postgres.query('DELETE FROM workers')

describe('a worker whose lease is lost', () => {
  it.each(['forward', 'undo'])(
    'hangs up on participants: of a call %s nobody waits for the answer',
    async (direction) => {
      const participants = { shop: { url: shop.url, timeout: '60s' } }
      const charge = { id: 'charge', call: call('/charge'), compensate: call('/refund') }
      await one.publish('slow', define([charge, { id: 'ship', call: call('/ship') }], { participants }))
      const hanging = direction === 'undo' ? '/refund' : '/charge'
      shop.answer('/ship', () => ({ status: 404 }))
      const calls = () => shop.received.filter(({ path }) => path === hanging)
      shop.answer(hanging, () => ({ hang: calls().length === 1 }))
      const { id } = await one.start('slow', null)
      await expect.poll(calls, patience).toHaveLength(1)
      expect(shop.left).toEqual([])
      await declareDead()
      await expect.poll(() => shop.left, patience).toEqual([hanging])
      // It has another lease soon, and goes on under a greater number.
      await one.until(id, 'compensated')
      const [first, second] = calls()
      expect(second!.fence).toBeGreaterThan(first!.fence)
      expect(second!.key).toBe(first!.key)
    },
    40_000,
  )
})
