import timers from 'node:timers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Json } from '../../domain/json.ts'
import { hang, type Participant, postponed, reset, simulate, unreachable } from './index.ts'

const definition = {
  participants: {
    payments: { url: 'https://payments.test/v1', headers: { Authorization: 'Bearer ${input.token}' } },
    warehouse: { url: 'https://warehouse.test' },
  },
  steps: [
    {
      id: 'charge',
      call: { participant: 'payments', path: '/charges/${input.order}', body: { cents: '${input.cents}' } },
      compensate: { participant: 'payments', path: '/charges/${input.order}/refund' },
    },
    { id: 'cooling_off', wait: { for: '30d' } },
    { id: 'ship', call: { participant: 'warehouse', path: '/shipments' } },
  ],
}
const input = { order: 'o-1', cents: 1_250, token: 't' }
const ok: Participant = () => ({ status: 200, body: { id: 'x' } })

describe('a saga of 30 days', () => {
  const real = [
    [globalThis, 'setTimeout'],
    [globalThis, 'setInterval'],
    [globalThis, 'setImmediate'],
    [timers, 'setTimeout'],
    [timers, 'setInterval'],
    [timers, 'setImmediate'],
  ] as const
  let spies: { mock: { calls: unknown[] } }[]
  beforeEach(() => {
    spies = real.map(([of, name]) => vi.spyOn(of as typeof globalThis, name))
  })
  afterEach(() => vi.restoreAllMocks())

  it('runs in milliseconds, without any real timer', async () => {
    const took: number[] = []
    // The fastest counts: the machine may have other things to do.
    for (let i = 0; i < 20; i++) {
      const from = performance.now()
      const run = simulate(definition, { input, participants: { payments: ok, warehouse: () => ({ status: 402 }) } })
      expect(await run.untilEnd()).toBe('compensated')
      took.push(performance.now() - from)
      expect(run.t).toBe(30 * 86_400_000)
      expect(run.effects).toEqual(['charge.do', 'charge.undo'])
    }
    expect(Math.min(...took)).toBeLessThan(50)
    for (const spy of spies) expect(spy.mock.calls).toEqual([])
  })
})

it('shows participants what the engine would send', async () => {
  const seen: unknown[] = []
  const payments: Participant = (request) => {
    seen.push(request)
    return { status: 200 }
  }
  const run = simulate(definition, { input, participants: { payments, warehouse: ok } })
  await run.untilEnd()
  expect(seen).toEqual([
    {
      saga: run.id,
      step: 'charge',
      operation: 'do',
      lookup: false,
      method: 'POST',
      path: '/charges/o-1',
      url: 'https://payments.test/v1/charges/o-1',
      headers: {
        authorization: 'Bearer t',
        'idempotency-key': `${run.id}.charge.do`,
        'splitstream-saga': run.id,
        'splitstream-step': 'charge',
        'splitstream-operation': 'do',
      },
      body: { cents: 1_250 },
      idempotencyKey: `${run.id}.charge.do`,
      t: 0,
    },
  ])
})

it('lets time pass as far as the test wants', async () => {
  const run = simulate(definition, { input, participants: { payments: ok, warehouse: ok } })
  expect(await run.advance('29d')).toBe('running')
  expect(run.t).toBe(29 * 86_400_000)
  expect(run.requests).toHaveLength(1)
  expect(await run.advance('1d')).toBe('completed')
  expect(run.result).toEqual({ charge: { id: 'x' }, cooling_off: null, ship: { id: 'x' } })
  expect(run.history().at(-1)).toMatchObject({ e: 'end', as: 'completed' })
  expect(await run.step()).toBe(false)
})

it('answers late, never, or breaks off, with an effect or without', async () => {
  const replies = [
    hang(),
    reset({ effect: true, after: '2s' }),
    unreachable(),
    postponed('1m'),
    { status: 200, after: '3s' },
  ]
  const run = simulate(definition, {
    input,
    participants: { payments: async () => replies.shift()!, warehouse: ok },
  })
  await run.advance('29d')
  expect(run.effects).toEqual(['charge.do'])
  expect(run.requests.map(({ outcome }) => outcome?.kind)).toEqual([
    'unknown',
    'unknown',
    'refused',
    'postponed',
    'answered',
  ])
  const [first, second] = run.requests
  expect(second!.t - first!.t).toBeGreaterThanOrEqual(10_000)
})

it('shows an effect under a second key as a second effect', async () => {
  const lookup = { path: '/requests/${key}' }
  const participants = { payments: { url: 'https://p.test', keyWindow: '11s', lookup } }
  const forgetful: Participant = ({ lookup }) => (lookup ? { status: 404 } : reset({ effect: true }))
  const run = simulate(
    { participants, steps: definition.steps.slice(0, 2) },
    { input, participants: { payments: forgetful } },
  )
  await run.advance('5m')
  expect(run.effects.slice(0, 2)).toEqual(['charge.do', 'charge.do'])
})

describe('an event', () => {
  const trigger = { type: 'placed', when: 'event.data.n > 1', input: { n: '${event.data.n}', id: '${event.id}' } }
  const wait = { id: 'w', waitFor: { type: 'placed', match: { 'data.n': 2 }, timeout: '1h', onTimeout: 'continue' } }
  const begin = (event: { type: string; data: Json }) =>
    simulate({ trigger, steps: [wait], output: '${input}' }, { event })

  it('starts the saga, with the input that its trigger makes', async () => {
    const run = begin({ type: 'placed', data: { n: 2 } })
    expect(await run.untilEnd()).toBe('completed')
    expect(run.result).toEqual({ n: 2, id: 'event-1' })
    // The event that started it is not one that it waits for.
    expect(run.t).toBe(3_600_000)
  })

  it('that does not start it is an error of the test', () => {
    expect(() => begin({ type: 'placed', data: { n: 1 } })).toThrow(/trigger\.when/)
    expect(() => begin({ type: 'other', data: { n: 2 } })).toThrow(/type other/)
  })

  it('whose input cannot be told starts a saga that needs attention', async () => {
    const run = begin({ type: 'placed', data: { n: 'many' } })
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.problem).toMatchObject({ code: 'EXPRESSION' })
    expect(run.cancel()).toBeUndefined()
    expect(run.status).toBe('compensated')
  })
})

it('is the same for the same seed', async () => {
  const participants = { payments: () => ({ status: 503 }), warehouse: ok }
  const history = async (seed: number) => {
    const run = simulate(definition, { input, participants, seed })
    await run.untilEnd()
    return run.history()
  }
  expect(await history(1)).toEqual(await history(1))
  expect(await history(1)).not.toEqual(await history(2))
})

it('goes on from its journal after a crash, at any point', async () => {
  for (let steps = 0; steps < 8; steps++) {
    const run = simulate(definition, { input, participants: { payments: ok, warehouse: ok } })
    for (let i = 0; i < steps; i++) await run.step()
    const { state } = run
    run.crash()
    if (run.status !== 'completed') expect(run.state).not.toBe(state)
    expect(await run.untilEnd()).toBe('completed')
    expect(run.effects).toEqual(['charge.do', 'ship.do'])
  }
})

it('takes a crash in the middle of a request', async () => {
  let crashes = 0
  const run = simulate(definition, {
    input,
    participants: {
      payments: () => {
        if (crashes++ === 0) run.crash()
        return { status: 200 }
      },
      warehouse: ok,
    },
  })
  expect(await run.untilEnd()).toBe('completed')
  expect(run.requests.map(({ outcome }) => outcome?.kind)).toEqual([undefined, 'answered', 'answered'])
})

describe('a test that cannot work says what to change', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'a definition that is not valid',
      () => simulate({ steps: [{ id: 'a', wait: { for: '1y' } }] }),
      /\$\.steps\[0\]\.wait/,
    ],
    ['no participant', () => simulate(definition, { input }), /participants\.payments is missing/],
    ['no child', () => simulate({ steps: [{ id: 'a', child: { saga: 'b' } }] }), /children\.b is missing: step a/],
    ['no instant', () => simulate({ steps: [{ id: 'a', wait: { for: '1d' } }] }, { startAt: 'now' }), /startAt: now/],
  ])('%s', (_, begin, why) => expect(begin).toThrow(why))

  it('a participant that throws', async () => {
    const broken: Participant = () => {
      throw new Error('my test is wrong')
    }
    const run = simulate(definition, { input, participants: { payments: broken, warehouse: ok } })
    await expect(run.untilEnd()).rejects.toThrow('my test is wrong')
  })

  it('a saga that waits for what never comes', async () => {
    const children = { other: { steps: [{ id: 'a', lock: { key: 'k', timeout: '3650d' } }] } }
    const run = simulate({ steps: [{ id: 'c', child: { saga: 'other' } }] }, { children, locked: ['k'] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.t).toBe(3_650 * 86_400_000)
  })
})
