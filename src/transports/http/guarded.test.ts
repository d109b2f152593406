import { AppError, type Call, type Judge, type Verdict } from '@splitstream/kernel'
import { afterEach, describe, expect, it } from 'vitest'
import { callWith, clientOf, closeAll, deadOrigin, failureOf, listen, serveSmall } from './http.fixture.ts'

afterEach(closeAll)

/** Writes down what it is told of each call. */
function watching() {
  const verdicts: Verdict[] = []
  const guard = {
    async run<T>(call: Call, work: (call: Call) => Promise<T>, judge: Judge<T>): Promise<T> {
      try {
        const value = await work(call)
        verdicts.push(judge.value(value))
        return value
      } catch (error) {
        verdicts.push(judge.error(error))
        throw error
      }
    },
  }
  return { guard, verdicts }
}

describe('a guard before the calls of a port is told', () => {
  it('well: of an answer, and of a refusal by the contract', async () => {
    const { guard, verdicts } = watching()
    const refused = new AppError('UNAVAILABLE', 'something behind it is away', { retryAfterMs: 1_000 })
    const { origin } = await serveSmall({ once: async () => Promise.reject(refused) })
    const { port } = clientOf([origin], { guard })
    await port.echo(1, callWith())
    expect((await failureOf(port.once(1, callWith()))).code).toBe('UNAVAILABLE')
    expect(verdicts).toEqual(['good', 'good'])
  })

  it('badly: of nobody there, a broken connection, and no instance at all; once, however often it was tried', async () => {
    const { guard, verdicts } = watching()
    const { origin } = await listen((request) => {
      request.resume().on('end', () => request.socket.destroy())
    })
    for (const origins of [[await deadOrigin()], [origin], []]) {
      await failureOf(clientOf(origins, { guard }).port.echo(1, callWith()))
    }
    expect(verdicts).toEqual(['bad', 'bad', 'bad'])
  })

  it('nothing: of a caller that left, and of time that ran out', async () => {
    const { guard, verdicts } = watching()
    const { origin } = await listen(() => {})
    const { port } = clientOf([origin], { guard })
    const leave = new AbortController()
    setTimeout(() => leave.abort(), 20)
    expect((await failureOf(port.echo(1, callWith(5_000, { signal: leave.signal })))).code).toBe('CANCELLED')
    expect((await failureOf(port.echo(1, callWith(30)))).code).toBe('DEADLINE_EXCEEDED')
    expect(verdicts).toEqual(['none', 'none'])
  })

  it('and may refuse: then nobody is called', async () => {
    let called = 0
    const { origin } = await serveSmall({ once: async () => ++called })
    const guard = { run: () => Promise.reject(new AppError('UNAVAILABLE', 'open', { retryAfterMs: 7 })) }
    const error = await failureOf(clientOf([origin], { guard }).port.once(1, callWith()))
    expect([error.retryAfterMs, called]).toEqual([7, 0])
  })
})
