import { setTimeout as delay } from 'node:timers/promises'
import { type Breakers, type Clock, noMetrics, silentLogger, systemClock } from '@splitstream/kernel'
import { afterEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../../../../src/discovery/manual-clock.fixture.ts'
import type { BreakerLimits } from '../../../../src/resilience/breaker.ts'
import { createBreakers } from '../../../../src/resilience/breakers.ts'
import { createMetrics } from '../../../../src/telemetry/metrics.ts'
import type { Outgoing } from '../../app/participants.ts'
import { never, outgoing, participants } from './participants.fixture.ts'
import { answer, type Behaviour, type RawServer, rawServer } from './raw-server.fixture.ts'

let server: RawServer
let calls: ReturnType<typeof participants>

const breakersWith = (limits: Partial<BreakerLimits>, clock: Clock): Breakers =>
  createBreakers({ kind: 'test', clock, logger: silentLogger, metrics: noMetrics, limits })

/** @param clock of the breakers */
async function start(behave: Behaviour, limits: Partial<BreakerLimits> = {}, metrics = noMetrics, clock = systemClock) {
  server = await rawServer(behave)
  calls = participants({ breakers: breakersWith({ openMs: 100, ...limits }, clock), metrics })
  return (request: Partial<Outgoing> = {}, signal = never) => calls.call(outgoing(server.url, request), signal)
}

afterEach(() => Promise.all([server.close(), calls.close()]))

const blocked = (undo = false, tenant = 'acme') => calls.blocked(tenant, 'order/payments', undo)
const answered = (status: number) => expect.objectContaining({ kind: 'answered', status })
const postponed = expect.objectContaining({ kind: 'postponed', afterMs: expect.any(Number), why: expect.any(String) })
const ok = answer('200 OK', '{}')

describe('the breaker of a participant', () => {
  it('postpones calls while it is open, sends none, and closes by one', async () => {
    let status = '500 Oh'
    const clock = new ManualClock()
    const call = await start((socket) => void socket.write(answer(status)), {}, noMetrics, clock)
    for (let i = 0; i < 20; i++) expect(await call()).toEqual(answered(500))
    expect(blocked()).toMatch(/^20 of the last 20 calls failed .*; next try in \d+ ms$/)
    for (let i = 0; i < 50; i++) {
      const outcome = await call()
      expect(outcome).toEqual(postponed)
      if (outcome.kind === 'postponed') expect(outcome.afterMs).toBeLessThanOrEqual(100)
    }
    expect(server.requests).toHaveLength(20)
    status = '200 OK'
    clock.advance(110)
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => call()))
    expect(outcomes.filter(({ kind }) => kind === 'answered')).toHaveLength(1)
    expect(server.requests).toHaveLength(21)
    expect(blocked()).toBeUndefined()
    expect(await call()).toEqual(answered(200))
  })

  it('counts as slow what takes longer than the call may take', async () => {
    const call = await start((socket) => setTimeout(() => socket.write(ok), 60), { slowMs: 40 })
    await Promise.all(Array.from({ length: 30 }, () => call({ slowMs: 1_500 })))
    expect(blocked()).toBeUndefined()
    await Promise.all(Array.from({ length: 60 }, () => call()))
    expect(blocked()).toMatch(/took over 40 ms/)
  })

  it.each([
    ['5xx', (socket) => void socket.write(answer('503 No')), {}],
    ['resets', (socket) => void socket.resetAndDestroy(), {}],
    ['no answer in time', () => {}, { timeoutMs: 30 }],
    ['an answer cut off', (socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n'), {}],
    ['answers after more than a second', (socket) => setTimeout(() => socket.write(ok), 60), {}],
  ] as [string, Behaviour, Partial<Outgoing>][])('opens on %s', async (_, behave, request) => {
    const call = await start(behave, { slowMs: 40 })
    await Promise.all(Array.from({ length: 20 }, () => call(request)))
    expect(blocked()).toMatch(/^20 of the last 20 calls/)
  })

  it('opens when nobody listens', async () => {
    const call = await start(() => {})
    await server.close()
    for (let i = 0; i < 20; i++) expect(await call()).toEqual(expect.objectContaining({ kind: 'refused' }))
    expect(await call()).toEqual(postponed)
  })

  it.each([
    ['4xx', answer('409 Conflict'), {}],
    ['redirects', answer('302 Found'), {}],
    ['bodies that cannot be used', answer('200 OK', '{'), {}],
    ['forbidden addresses', '', { url: 'https://169.254.169.254/' }],
    ['requests that cannot be written', '', { headers: { 'x-a': '\n' } }],
  ])('stays closed on %s', async (_, text, request) => {
    const call = await start((socket) => void socket.write(text))
    await Promise.all(Array.from({ length: 40 }, () => call(request)))
    expect(blocked()).toBeUndefined()
  })

  it('stays closed on calls that were aborted', async () => {
    const call = await start(() => {})
    const abort = new AbortController()
    const outcomes = Promise.all(Array.from({ length: 40 }, () => call({}, abort.signal)))
    await delay(30)
    abort.abort()
    expect((await outcomes).every(({ kind }) => kind === 'unknown')).toBe(true)
    expect(blocked()).toBeUndefined()
  })

  it('is apart for undo, for each participant and each tenant', async () => {
    const call = await start((socket) => void socket.write(answer('500 Oh')))
    for (let i = 0; i < 20; i++) await call()
    expect(blocked()).toBeDefined()
    expect(blocked(true)).toBeUndefined()
    expect(blocked(false, 'other')).toBeUndefined()
    expect(await call()).toEqual(postponed)
    expect(await call({ undo: true })).toEqual(answered(500))
    expect(await call({ tenant: 'other' })).toEqual(answered(500))
    expect(await call({ participant: 'order/stock' })).toEqual(answered(500))
  })
})

describe('the bulkhead of a participant', () => {
  it('runs as many calls as its definition says, then a few wait, the rest are postponed', async () => {
    const held: (() => void)[] = []
    const call = await start((socket) => void held.push(() => socket.write(ok)), { maxWaiting: 2, slowMs: 5_000 })
    const settings = { url: server.url, maxConcurrent: 3 }
    const outcomes = Array.from({ length: 6 }, () => call({ settings }))
    expect(await outcomes[5]).toEqual(postponed)
    expect(blocked()).toBe('3 calls run at once already')
    expect(await call({ settings, undo: true, timeoutMs: 50 })).toEqual(expect.objectContaining({ kind: 'unknown' }))
    while (held.length < 4) await delay(5)
    expect(server.requests).toHaveLength(4)
    for (const end of held.splice(0)) end()
    while (held.length < 2) await delay(5)
    for (const end of held.splice(0)) end()
    expect(await Promise.all(outcomes.slice(0, 5))).toEqual(Array.from({ length: 5 }, () => answered(200)))
  })

  it('sends nothing for a call that is aborted while it waits', async () => {
    const call = await start(() => {})
    const settings = { url: server.url, maxConcurrent: 1 }
    const running = call({ settings, timeoutMs: 100 })
    const abort = new AbortController()
    const waiting = call({ settings }, abort.signal)
    abort.abort()
    expect(await waiting).toEqual(expect.objectContaining({ kind: 'refused', permanent: false }))
    await running
    expect(server.requests).toHaveLength(1)
  })
})

describe('calls', () => {
  it('keep their connections; undici takes another one in the moment in which one becomes free', async () => {
    const call = await start((socket) => void setTimeout(() => socket.write(ok), 1))
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 8 }, () => call()))
    expect(server.requests).toHaveLength(160)
    expect(server.connections()).toBeLessThanOrEqual(16)
  })

  it('are recorded by how they ended', async () => {
    const metrics = createMetrics()
    const answers = [ok, answer('404 No'), answer('500 Oh'), answer('200 OK', '{')]
    const call = await start((socket) => void socket.write(answers.shift()!), {}, metrics)
    for (let i = 0; i < 4; i++) await call({ undo: i === 1 })
    await call({ url: 'https://169.254.169.254/' })
    const text = await metrics.text()
    for (const [direction, outcome] of [
      'forward 2xx',
      'undo 4xx',
      'forward 5xx',
      'forward unusable',
      'forward refused',
    ].map((labels) => labels.split(' '))) {
      const series = `splitstream_saga_call_seconds_count{direction="${direction}",outcome="${outcome}"} 1`
      expect(text).toContain(series)
    }
  })

  it('are told which setting to change, and not where a forbidden name leads', async () => {
    await start(() => {})
    const lookup = async () => [{ address: '10.1.2.3', family: 4 }]
    const strict = participants({ lookup, egress: { allow: [] } })
    expect(await strict.call(outgoing('https://payments.internal'), never)).toEqual({
      kind: 'refused',
      permanent: true,
      why: 'payments.internal:443 is not on the internet. If that is as it should be, add it to SAGA_ALLOW_PRIVATE',
    })
    await strict.close()
  })
})
