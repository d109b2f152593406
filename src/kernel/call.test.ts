import { describe, expect, it } from 'vitest'
import { checkCall, systemCall, untilAborted } from './call.ts'
import { systemClock } from './clock.ts'
import { AppError } from './errors.ts'

const codeThrown = (signal: AbortSignal): unknown => {
  try {
    checkCall(systemCall(systemClock, 60_000, signal), systemClock)
    return undefined
  } catch (error) {
    return (error as AppError).code
  }
}

describe('a call', () => {
  it('that its budget aborted has no time left, though the clock is a moment behind', () => {
    expect(codeThrown(AbortSignal.abort(new AppError('DEADLINE_EXCEEDED', 'late')))).toBe('DEADLINE_EXCEEDED')
  })

  it.each([AbortSignal.abort(), AbortSignal.abort(new AppError('CANCELLED', 'gone')), AbortSignal.abort('whatever')])(
    'that anything else aborted lost its caller',
    (signal) => expect(codeThrown(signal)).toBe('CANCELLED'),
  )

  it('goes on while nothing aborts it', () => expect(codeThrown(new AbortController().signal)).toBeUndefined())

  it('can be waited for to be aborted, before and after', async () => {
    const stop = new AbortController()
    const waited = untilAborted(stop.signal)
    stop.abort()
    await waited
    await untilAborted(stop.signal)
  })
})
