import { getEventListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { codeOf } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import type { Joined } from '../adapters.ts'
import { callWith, collect, failureOf, until } from './support.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

export function callCases(joined: () => Joined): void {
  describe('what travels with a call', () => {
    it('tenant, principal, trace and idempotency key arrive', async () => {
      const call = callWith({ tenant: 'acme', principal: 'key-1', traceparent, idempotencyKey: 'order-7' })
      const seen = await joined().port.seen({}, call)
      expect(seen).toMatchObject({ tenant: 'acme', principal: 'key-1', traceparent, idempotencyKey: 'order-7' })
    })

    it('they may be any text', async () => {
      const odd = 'Käse, "日本語"; a=b\r\nx-injected: 1 %41 👩‍👧'
      const seen = await joined().port.seen({}, callWith({ tenant: odd, principal: odd, idempotencyKey: odd }))
      expect(seen).toMatchObject({ tenant: odd, principal: odd, idempotencyKey: odd })
    })

    it('what is not there does not arrive, and nothing of the call before', async () => {
      await joined().port.seen({}, callWith({ tenant: 'other', principal: 'p', traceparent, idempotencyKey: 'k' }))
      const seen = await joined().port.seen({}, callWith())
      expect(seen.tenant).toBe('acme')
      expect(seen.principal).toBe('system')
      expect(seen.traceparent).toBe(undefined)
      expect(seen.idempotencyKey).toBe(undefined)
    })

    it('an empty idempotency key is one', async () => {
      expect((await joined().port.seen({}, callWith({ idempotencyKey: '' }))).idempotencyKey).toBe('')
    })

    it('calls at the same time keep apart', async () => {
      const tenants = Array.from({ length: 100 }, (_, i) => `tenant-${i}`)
      const seen = await Promise.all(tenants.map((tenant) => joined().port.seen({}, callWith({ tenant }))))
      expect(seen.map((call) => call.tenant)).toEqual(tenants)
    })
  })

  describe('budget', () => {
    it('shrinks from hop to hop', async () => {
      const budgets = await joined().port.relay({ hops: 4 }, callWith({}, 5_000))
      expect(budgets.length).toBe(5)
      expect(budgets[0]).toBeLessThanOrEqual(5_000)
      expect(budgets.at(-1)).toBeGreaterThan(3_000)
      for (let i = 1; i < budgets.length; i++) expect(budgets[i]).toBeLessThanOrEqual(budgets[i - 1]!)
    })

    it('that is spent already ends the call before it begins', async () => {
      const error = await failureOf(joined().port.echo(1, callWith({}, -1)))
      expect(codeOf(error)).toBe('DEADLINE_EXCEEDED')
      expect(joined().callee.begun.size).toBe(0)
    })

    it('that is spent on the way ends the call, for both sides', async () => {
      const from = performance.now()
      const error = await failureOf(joined().port.hold({ name: 'long' }, callWith({}, 200)))
      expect(codeOf(error)).toBe('DEADLINE_EXCEEDED')
      expect(performance.now() - from).toBeLessThan(1_000)
      await until(() => joined().callee.held.size === 0)
      expect(joined().callee.ended.length).toBe(1)
    })

    it('may be without end', async () => {
      expect(await joined().port.echo(1, callWith({ deadline: Number.POSITIVE_INFINITY }))).toBe(1)
    })
  })

  describe('abort', () => {
    it('before the call: it never begins', async () => {
      const error = await failureOf(joined().port.echo(1, callWith({ signal: AbortSignal.abort() })))
      expect(codeOf(error)).toBe('CANCELLED')
      expect(joined().callee.begun.size).toBe(0)
    })

    it('during the call: the caller is free, and the callee is told', async () => {
      const abort = new AbortController()
      const failed = failureOf(joined().port.hold({ name: 'one' }, callWith({ signal: abort.signal })))
      await until(() => joined().callee.held.has('one'))
      const from = performance.now()
      abort.abort()
      expect(codeOf(await failed)).toBe('CANCELLED')
      await until(() => joined().callee.held.size === 0)
      expect(performance.now() - from).toBeLessThan(500)
      expect(joined().callee.ended).toEqual(['CANCELLED'])
    })

    it('after the call: nothing happens', async () => {
      const abort = new AbortController()
      expect(await joined().port.echo('kept', callWith({ signal: abort.signal }))).toBe('kept')
      abort.abort()
      await delay(5)
      expect(await joined().port.echo('next', callWith())).toBe('next')
    })

    it('ends only the call that it belongs to', async () => {
      const abort = new AbortController()
      const failed = failureOf(joined().port.hold({ name: 'gone' }, callWith({ signal: abort.signal })))
      const kept = joined().port.hold({ name: 'kept' }, callWith())
      await until(() => joined().callee.held.size === 2)
      abort.abort()
      expect(codeOf(await failed)).toBe('CANCELLED')
      joined().callee.held.get('kept')!('released')
      expect(await kept).toBe('released')
    })

    it('leaves no listener behind on a signal that lives on', async () => {
      const { signal } = new AbortController()
      for (let i = 0; i < 20; i++) await joined().port.echo(i, callWith({ signal }))
      await collect(await joined().port.stream({ count: 10 }, callWith({ signal })))
      await failureOf(joined().port.fail({ code: 'CONFLICT', message: 'As asked' }, callWith({ signal })))
      await delay(5)
      expect(getEventListeners(signal, 'abort')).toEqual([])
    })
  })
}
