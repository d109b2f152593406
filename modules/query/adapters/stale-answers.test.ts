import { AppError, type ErrorCode, noMetrics, systemCall, systemClock } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import { StaleAnswers } from './stale-answers.ts'

const never = new AbortController().signal
const call = (tenant = 'a') => systemCall(systemClock, 1_000, never, tenant)

function start(maxBytes = 100_000) {
  let now = 0
  const answers = new StaleAnswers({ maxBytes, maxAgeMs: 60_000 }, { metrics: noMetrics, now: () => now })
  const ask = (request: unknown, answer: object | ErrorCode, o: { tenant?: string; after?: string } = {}) =>
    answers.answer({ kind: 'list', request, after: o.after, call: call(o.tenant) }, async () => {
      if (typeof answer === 'string') throw new AppError(answer, 'It is "away"\n', { retryAfterMs: 2_000 })
      return { position: 'p1-0.a', ...answer }
    })
  const wait = (ms: number) => {
    now += ms
  }
  return { ask, wait }
}

const text = ({ bytes }: { bytes?: unknown }) => Buffer.from(bytes as Uint8Array).toString()

describe('answers that are kept', () => {
  it('are given again when storage cannot answer, marked, with their age and their position', async () => {
    const { ask, wait } = start()
    const fresh = await ask({ q: 1 }, { n: 7 })
    expect(fresh.headers).toEqual({ 'Content-Type': 'application/json' })
    wait(12_300)
    const stale = await ask({ q: 1 }, 'UNAVAILABLE')
    expect(stale.headers).toEqual({
      'Content-Type': 'application/json',
      Age: '12',
      'Splitstream-Degraded': 'stale; reason="It is \\"away\\"?"',
    })
    expect([stale.status, text(stale)]).toEqual([200, '{"position":"p1-0.a","n":7}'])
  })

  it.each<ErrorCode>(['UNAVAILABLE', 'UNKNOWN_OUTCOME', 'OVERLOADED', 'STOPPING'])('cover %s', async (code) => {
    const { ask } = start()
    await ask({}, { n: 1 })
    expect((await ask({}, code)).status).toBe(200)
  })

  it.each<ErrorCode>(['QUERY_TOO_COSTLY', 'REQUEST_INVALID', 'DEADLINE_EXCEEDED', 'CANCELLED', 'INTERNAL'])(
    'do not cover %s',
    async (code) => {
      const { ask } = start()
      await ask({}, { n: 1 })
      await expect(ask({}, code)).rejects.toMatchObject({ code })
    },
  )

  it('are of one tenant and one question', async () => {
    const { ask } = start()
    await ask({ q: 1 }, { n: 1 })
    await expect(ask({ q: 1 }, 'UNAVAILABLE', { tenant: 'b' })).rejects.toMatchObject({ retryAfterMs: 2_000 })
    await expect(ask({ q: 2 }, 'UNAVAILABLE')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    // Neither can a tenant's name make its key that of another.
    await ask('x', { n: 1 }, { tenant: 'a","list' })
    await expect(ask(['x'], 'UNAVAILABLE', { tenant: 'a' })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('have to cover the position that is asked for', async () => {
    const { ask } = start()
    await ask({}, { position: 'p1-0.a-1.5' })
    expect((await ask({}, 'UNAVAILABLE', { after: 'p1-1.5' })).status).toBe(200)
    await expect(ask({}, 'UNAVAILABLE', { after: 'p1-0.b' })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('are not given when they are too old', async () => {
    const { ask, wait } = start()
    await ask({}, { n: 1 })
    wait(60_001)
    await expect(ask({}, 'UNAVAILABLE')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('keep within their memory: those go that were not asked for, and one that is too large is not kept', async () => {
    const { ask } = start(20_000)
    for (let i = 0; i < 100; i++) await ask({ i }, { pad: 'x'.repeat(1_000) })
    const kept = []
    for (let i = 0; i < 100; i++) if (await ask({ i }, 'UNAVAILABLE').catch(() => undefined)) kept.push(i)
    expect(kept.length).toBeGreaterThan(8)
    expect(kept.length).toBeLessThanOrEqual(20)
    expect(kept.at(-1)).toBe(99)
    await ask('large', { pad: 'x'.repeat(5_000) })
    await expect(ask('large', 'UNAVAILABLE')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('are none when there is no memory for them', async () => {
    const { ask } = start(0)
    expect(await ask({}, { n: 1 })).toEqual({ status: 200, json: { position: 'p1-0.a', n: 1 } })
    await expect(ask({}, 'UNAVAILABLE')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})
