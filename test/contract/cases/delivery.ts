import { type AppError, codeOf } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import type { Joined } from '../adapters.ts'
import { callWith, collect, failureOf, until } from './support.ts'

export function deliveryCases(joined: () => Joined): void {
  describe('delivery', () => {
    it('a lost answer of an idempotent method: called again, by the adapter or by us, the effect is there once', async () => {
      const { port, callee } = joined()
      joined().loseNextAnswer()
      const again = async (error: unknown): Promise<{ total: number }> => {
        expect(codeOf(error)).toBe('UNKNOWN_OUTCOME')
        return await port.put({ key: 'k', value: 5 }, callWith())
      }
      const answer = await port.put({ key: 'k', value: 5 }, callWith()).catch(again)
      expect(answer.total).toBe(5)
      expect(callee.begun.get('put')).toBe(2)
      expect(callee.total).toBe(5)
    })

    it.each([
      ['echo', { any: ['value'] }],
      ['seen', {}],
      ['stream', { count: 3 }],
    ] as const)('a lost answer of %s, too: called twice, one answer', async (method, input) => {
      const { port, callee } = joined()
      const run = () => port[method](input as never, callWith({ idempotencyKey: 'k' }))
      const told = async (answer: unknown): Promise<unknown> =>
        method === 'stream' ? collect(answer as AsyncIterable<unknown>) : { ...(answer as object), budgetMs: 0 }
      const once = await told(await run())
      joined().loseNextAnswer()
      const again = (error: unknown) => {
        expect(codeOf(error)).toBe('UNKNOWN_OUTCOME')
        return run()
      }
      expect(await told(await run().catch(again))).toEqual(once)
      expect(callee.begun.get(method)).toBe(3)
    })

    it('a lost answer of another method: UNKNOWN_OUTCOME, and it ran once', async () => {
      const { port, callee } = joined()
      joined().loseNextAnswer()
      expect(codeOf(await failureOf(port.add({ amount: 5 }, callWith())))).toBe('UNKNOWN_OUTCOME')
      expect(callee.begun.get('add')).toBe(1)
      expect(callee.total).toBe(5)
    })

    it.each(['UNAVAILABLE', 'STOPPING', 'UNKNOWN_OUTCOME', 'OVERLOADED', 'INTERNAL'] as const)(
      'a method that is not idempotent and throws %s runs once',
      async (code) => {
        const failing = { code, message: 'After the effect' }
        const error = await failureOf(joined().port.add({ amount: 1, failing }, callWith()))
        expect(codeOf(error)).toBe(code)
        expect(joined().callee.begun.get('add')).toBe(1)
      },
    )

    it.each(['OVERLOADED', 'RATE_LIMITED', 'DISK_FULL', 'CONFLICT', 'INTERNAL', 'DEADLINE_EXCEEDED'] as const)(
      '%s is passed on at once, with its pause',
      async (code) => {
        const failing = { code, message: 'Not now', retryAfterMs: 1_500 }
        const error = (await failureOf(joined().port.fail(failing, callWith()))) as AppError
        expect(codeOf(error)).toBe(code)
        expect(error.retryAfterMs).toBe(1_500)
        expect(joined().callee.begun.get('fail')).toBe(1)
      },
    )

    it('an idempotent method that stays unavailable is tried three times at most', async () => {
      const failing = { code: 'UNAVAILABLE', message: 'The engine is away' } as const
      expect(codeOf(await failureOf(joined().port.fail(failing, callWith())))).toBe('UNAVAILABLE')
      expect(joined().callee.begun.get('fail')).toBeLessThanOrEqual(3)
    })
  })

  describe('stop of the callee', () => {
    it('calls fail with UNAVAILABLE while it is away, and go well when it is back', async () => {
      const { port } = joined()
      expect(await port.echo(1, callWith())).toBe(1)
      await joined().stopCallee()
      expect(codeOf(await failureOf(port.echo(2, callWith())))).toBe('UNAVAILABLE')
      expect(codeOf(await failureOf(port.add({ amount: 1 }, callWith())))).toBe('UNAVAILABLE')
      await joined().startCallee()
      expect(await port.echo(3, callWith())).toBe(3)
      expect(await port.add({ amount: 2 }, callWith())).toEqual({ total: 2 })
    })

    it('lets running calls end, and refuses new ones with STOPPING meanwhile', async () => {
      const { port, callee } = joined()
      const running = port.hold({ name: 'running' }, callWith())
      await until(() => callee.held.has('running'))
      let stopped = false
      const stop = joined()
        .stopCallee()
        .then(() => {
          stopped = true
        })
      expect(codeOf(await failureOf(port.echo('new', callWith())))).toBe('STOPPING')
      expect(codeOf(await failureOf(port.add({ amount: 1 }, callWith())))).toBe('STOPPING')
      expect(stopped).toBe(false)
      callee.held.get('running')!('ended well')
      expect(await running).toBe('ended well')
      await stop
      expect(callee.begun.has('echo')).toBe(false)
      expect(callee.total).toBe(0)
    })
  })
}
