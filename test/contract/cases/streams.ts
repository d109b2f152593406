import { setTimeout as delay } from 'node:timers/promises'
import { AppError, codeOf } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import { problemOf } from '../../../src/edge/problem.ts'
import type { Joined } from '../adapters.ts'
import { callWith, collect, failureOf, until } from './support.ts'

export function streamCases(joined: () => Joined): void {
  describe('streams', () => {
    it('items arrive in order, all of them', async () => {
      const items = await collect(await joined().port.stream({ count: 20_000 }, callWith()))
      expect(items.map((item) => (item as { i: number }).i)).toEqual(Array.from({ length: 20_000 }, (_, i) => i))
      await until(() => joined().callee.openStreams === 0)
    })

    it('one without items ends', async () => {
      expect(await collect(await joined().port.stream({ count: 0 }, callWith()))).toEqual([])
    })

    it('items may be any JSON value', async () => {
      const items = [null, true, 0, '', 'two\nlines\r\n', [], [[1]], {}, { end: 3, error: 'no' }, 'Grüße 日本語 👩‍👧']
      expect(await collect(await joined().port.stream({ items }, callWith()))).toStrictEqual(items)
    })

    it('an item may be as large as 4 MiB', async () => {
      const items = ['ä'.repeat(2 << 20), 'small', 'x'.repeat(4 << 20)]
      expect(await collect(await joined().port.stream({ items }, callWith()))).toStrictEqual(items)
    })

    it('an item arrives when it is there, not when the next one is', async () => {
      const tail = (await joined().port.tail(undefined, callWith()))[Symbol.asyncIterator]()
      for (let n = 1; n <= 3; n++) {
        const next = tail.next()
        await until(() => joined().callee.openTails === 1)
        joined().callee.push({ n })
        expect(await next).toEqual({ done: false, value: { n } })
      }
      await tail.return?.()
    })

    it('the budget ends the wait for a stream, not the stream', async () => {
      const tail = (await joined().port.tail(undefined, callWith({}, 300)))[Symbol.asyncIterator]()
      const next = tail.next()
      await delay(500)
      joined().callee.push('late')
      expect(await next).toEqual({ done: false, value: 'late' })
      await tail.return?.()
    })

    it('an early break stops the producer', async () => {
      for await (const item of await joined().port.stream({ fill: 1_000 }, callWith())) {
        if ((item as { i: number }).i === 10) break
      }
      await until(() => joined().callee.openStreams === 0)
      expect(await joined().port.echo('next', callWith())).toBe('next')
    })

    it('an error of the reader stops the producer', async () => {
      const read = async (): Promise<void> => {
        for await (const item of await joined().port.stream({}, callWith()))
          throw new AppError('CONFLICT', String(item))
      }
      expect(codeOf(await failureOf(read()))).toBe('CONFLICT')
      await until(() => joined().callee.openStreams === 0)
    })

    it('abort ends the iteration, and stops the producer', async () => {
      const abort = new AbortController()
      const items = await joined().port.stream({ fill: 100 }, callWith({ signal: abort.signal }))
      const read = async (): Promise<void> => {
        for await (const item of items) if ((item as { i: number }).i === 5) abort.abort()
      }
      expect(codeOf(await failureOf(read()))).toBe('CANCELLED')
      await until(() => joined().callee.openStreams === 0)
    })

    it('abort ends a stream that waits for its next item', async () => {
      const abort = new AbortController()
      const tail = (await joined().port.tail(undefined, callWith({ signal: abort.signal })))[Symbol.asyncIterator]()
      const next = failureOf(tail.next())
      await until(() => joined().callee.openTails === 1)
      abort.abort()
      expect(codeOf(await next)).toBe('CANCELLED')
      await until(() => joined().callee.openTails === 0)
    })

    it('an error in the middle comes after the items before it', async () => {
      const failing = { code: 'QUERY_TOO_COSTLY', message: 'Too much', details: { rows: 9 }, retryAfterMs: 5 } as const
      const seen: unknown[] = []
      const read = async (): Promise<void> => {
        for await (const item of await joined().port.stream({ count: 100, failing }, callWith())) seen.push(item)
      }
      const error = (await failureOf(read())) as AppError
      expect(seen.length).toBe(100)
      expect(codeOf(error)).toBe('QUERY_TOO_COSTLY')
      expect(error).toMatchObject({ message: 'Too much', details: { rows: 9 }, retryAfterMs: 5 })
      await until(() => joined().callee.openStreams === 0)
    })

    it('an undeclared error in the middle is INTERNAL and shows nothing', async () => {
      const failing = { message: 'SELECT secret FROM users' }
      const error = await failureOf(collect(await joined().port.stream({ count: 3, failing }, callWith())))
      expect(codeOf(error)).toBe('INTERNAL')
      expect(problemOf(error, '/', 'r1').body).not.toContain('SELECT')
    })

    it('a slow reader holds the producer back', async () => {
      const items = (await joined().port.stream({ fill: 64 << 10 }, callWith()))[Symbol.asyncIterator]()
      for (let i = 0; i < 3; i++) await items.next()
      let before = -1
      while (before !== joined().callee.produced) {
        before = joined().callee.produced
        await delay(150)
      }
      // What lies between them are buffers of sockets: a few MiB on loopback, of a stream without end.
      expect(joined().callee.produced).toBeLessThan(500)
      for (let i = 3; i < 1_000; i++) expect(await items.next()).toMatchObject({ done: false, value: { i } })
      await items.return?.()
      await until(() => joined().callee.openStreams === 0)
    })

    it('many at once, and calls beside them, keep apart', async () => {
      const counts = [0, 1, 10, 500, 1_000, 50, 7, 300]
      const reads = counts.map(async (count) => collect(await joined().port.stream({ count, fill: 200 }, callWith())))
      const echoes = counts.map((count) => joined().port.echo(count, callWith()))
      expect((await Promise.all(reads)).map((items) => items.length)).toEqual(counts)
      expect(await Promise.all(echoes)).toEqual(counts)
    })

    it('a stream that nobody reads stops the producer when its caller leaves', async () => {
      const abort = new AbortController()
      await joined().port.stream({ fill: 1_000 }, callWith({ signal: abort.signal }))
      abort.abort()
      await until(() => joined().callee.openStreams === 0)
      expect(await joined().port.echo('next', callWith())).toBe('next')
    })
  })
}
