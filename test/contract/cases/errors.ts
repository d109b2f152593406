import { AppError, catalogue, codeOf, type ErrorCode } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import { problemOf } from '../../../src/edge/problem.ts'
import type { Joined } from '../adapters.ts'
import type { Failing } from '../sample-port.ts'
import { callWith, failureOf } from './support.ts'

const codes = Object.keys(catalogue) as ErrorCode[]
const leak = 'SELECT password FROM users at /srv/app/db.ts:12'

export function errorCases(joined: () => Joined): void {
  const failure = (failing: Failing): Promise<unknown> => failureOf(joined().port.fail(failing, callWith()))

  describe('errors', () => {
    it.each(codes)('%s arrives with its message, its details and its pause', async (code) => {
      const details = { limit: 3, list: ['a', { b: null }], title: 'not the title', status: 1 }
      const error = (await failure({ code, message: `As asked: ${code}`, retryAfterMs: 61_000, details })) as AppError
      expect(codeOf(error)).toBe(code)
      expect(catalogue[codeOf(error)].retryable).toBe(catalogue[code].retryable)
      expect(error.message).toBe(`As asked: ${code}`)
      expect(error.retryAfterMs).toBe(61_000)
      expect(error.details).toEqual(details)
    })

    it('an error without details and pause has none', async () => {
      const error = (await failure({ code: 'CONFLICT', message: 'Grüße, 日本語' })) as AppError
      expect(error).toBeInstanceOf(AppError)
      expect(error.message).toBe('Grüße, 日本語')
      expect(error.details).toBe(undefined)
      expect(error.retryAfterMs).toBe(undefined)
    })

    it.each(['error', 'text', 'system error'] as const)(
      'an undeclared %s is INTERNAL and shows nothing',
      async (as) => {
        const error = await failure({ message: leak, as })
        expect(codeOf(error)).toBe('INTERNAL')
        expect(problemOf(error, '/v1/events', 'r1').body).not.toContain('SELECT')
      },
    )

    it('a call goes well after one that failed', async () => {
      await failure({ message: leak })
      expect(await joined().port.echo('fine', callWith())).toBe('fine')
    })
  })
}
