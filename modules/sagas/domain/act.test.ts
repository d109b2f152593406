import { describe, expect, it } from 'vitest'
import { hang, type Simulation } from '../kit/testing/index.ts'
import { obey } from './act.ts'
import type { Entry } from './entry.ts'
import { planSaga } from './plan.ts'
import { answer, asked, call, final, keys, ok, pivot, start, told } from './saga.fixture.ts'
import { foldEntries } from './state.ts'
import { Turn } from './turn.ts'

const once = { retry: { attempts: 1 } }
const hour = { id: 'w', wait: { for: '1h' } }

/** What an operator did, as history has it. */
const orders = (run: Simulation) => run.history().filter((entry) => entry.e === 'by')

describe('cancel', () => {
  it('while a call is on its way: its end is awaited, and undone', async () => {
    const run = start([call('a'), call('b')], { b: [answer(200, { after: '5s' })] })
    await run.advance('1s')
    expect(run.cancel({ note: 'customer called' })).toBeUndefined()
    expect(run.status).toBe('compensating')
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.t).toBe(5_000)
    expect(run.effects).toEqual(['a.do', 'b.do', 'b.undo', 'a.undo'])
    expect(orders(run)).toEqual([
      { e: 'by', t: 1_000, m: 'order-1', who: 'tester', a: 'cancel', note: 'customer called' },
    ])
  })

  it('between two attempts: no more are made', async () => {
    const run = start([call('a'), call('b')], { b: [answer(503)] })
    await run.advance('1s')
    run.cancel()
    const sent = run.requests.length
    expect(await run.untilEnd()).toBe('compensated')
    expect(asked(run).slice(sent)).toEqual(['b.undo', 'a.undo'])
  })

  it.each([
    ['a time', hour],
    ['an event', { id: 'w', waitFor: { type: 't', match: { subject: 'x' }, timeout: '1h' } }],
    ['a lock', { id: 'w', lock: { key: 'k', timeout: '1h' } }],
  ])('while the saga waits for %s', async (_, step) => {
    const run = start([call('a'), step, final('b')], {}, { locked: ['k'] })
    await run.advance('1m')
    expect(run.cancel()).toBeUndefined()
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.do', 'a.undo'])
    expect(run.t).toBe(60_000)
  })

  it('while it is undone already: nothing more', async () => {
    const run = start([call('a'), final('z')], { z: [answer(402)], 'a.undo': [answer(503), ok] })
    await run.advance('1ms')
    expect(run.status).toBe('compensating')
    expect(run.cancel()).toBeUndefined()
    expect(await run.untilEnd()).toBe('compensated')
    expect(told(run).filter((one) => one.startsWith('turn'))).toHaveLength(1)
  })

  it('when it needs attention because of a key: it is undone', async () => {
    const run = start(
      [call('a'), call('b')],
      { b: [answer(503)] },
      { participant: { keyWindow: '10s', timeout: '9s' } },
    )
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.problem).toMatchObject({ code: 'RECONCILE' })
    expect(run.cancel()).toBeUndefined()
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.do', 'b.undo', 'a.undo'])
  })

  it('after its end, or past the pivot: refused, and noted', async () => {
    const run = start([call('a')])
    await run.untilEnd()
    expect(run.cancel()).toBe('the saga is completed')
    expect(run.status).toBe('completed')
    expect(orders(run)).toMatchObject([{ a: 'cancel', no: 'the saga is completed' }])
    const undone = start([call('a')], { a: [answer(402)] })
    await undone.untilEnd()
    expect(undone.cancel()).toBe('the saga is compensated')
    const past = start([pivot('a'), hour])
    await past.advance('1m')
    expect(past.cancel()).toMatch(/pivot/)
    expect(await past.untilEnd()).toBe('completed')
    const calling = start([pivot('a')], { a: [answer(200, { after: '5s' })] })
    await calling.advance('1s')
    expect(calling.cancel()).toMatch(/pivot/)
    expect(await calling.untilEnd()).toBe('completed')
  })

  it('does nothing to the step that it names, but for an unclear pivot', async () => {
    const run = start([call('a'), hour])
    await run.advance('1m')
    expect(run.cancel({ step: 'a' })).toBe('step a is no pivot that is unclear')
    expect(run.status).toBe('running')
  })
})

describe('retry', () => {
  it('makes the next attempt now, with a new budget and the same key', async () => {
    const run = start([call('a', { retry: { attempts: 2, initial: '1h', max: '1h', within: '1d', jitter: 0 } })], {
      a: [answer(503), answer(503), ok],
    })
    await run.advance('1m')
    expect(run.retry('a')).toBeUndefined()
    expect(await run.untilEnd()).toBe('completed')
    expect(run.requests.map(({ t }) => t)).toEqual([0, 60_000, 3_660_000])
    expect(new Set(keys(run))).toEqual(new Set(['a.do']))
  })

  it('does not make a key last longer', async () => {
    const run = start(
      [call('a', { retry: { attempts: 100, within: '1d' } })],
      { a: [answer(503)] },
      { participant: { keyWindow: '5m' } },
    )
    await run.advance('4m')
    run.retry('a')
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(Math.max(...run.requests.map(({ t }) => t))).toBeLessThanOrEqual(290_000)
    expect(new Set(keys(run))).toEqual(new Set(['a.do']))
  })

  it('of a key that may be forgotten uses another one: the operator has found out', async () => {
    const run = start(
      [call('a')],
      { a: [answer(503), answer(503), answer(503), ok] },
      { participant: { keyWindow: '11s' } },
    )
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.retry('a')).toBeUndefined()
    expect(await run.untilEnd()).toBe('completed')
    expect(keys(run).at(-1)).toBe('a.do.2')
  })

  it('of a refusal uses another key, as participants keep what they answered', async () => {
    const run = start([pivot('a'), final('b')], { b: [answer(402), answer(402), ok] })
    await run.untilEnd()
    run.retry('b')
    await run.untilEnd()
    run.retry('b')
    expect(await run.untilEnd()).toBe('completed')
    expect(keys(run)).toEqual(['a.do', 'b.do', 'b.do.2', 'b.do.3'])
  })

  it('asks what became of a call first, when it can', async () => {
    const participant = { replaysErrors: true, lookup: { path: '/requests/${key}' } }
    const script = { b: [answer(500)], 'b?': [answer(503), answer(503), ok] }
    const run = start([pivot('a'), final('b', { retry: { attempts: 2 } })], script, { participant })
    expect(await run.untilEnd()).toBe('needs_attention')
    run.retry('b')
    expect(await run.untilEnd()).toBe('completed')
    expect(asked(run)).toEqual(['a.do', 'b.do', 'b.do?', 'b.do?', 'b.do?'])
  })

  it('of an undo is one of the undo, under its own key', async () => {
    const run = start([call('a'), final('z')], { z: [answer(402)], 'a.undo': [answer(403), answer(503), ok] })
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.retry('a')).toBeUndefined()
    expect(await run.untilEnd()).toBe('compensated')
    expect(keys(run)).toEqual(['a.do', 'z.do', 'a.undo', 'a.undo.2', 'a.undo.2'])
  })

  it('of an undo goes by the window of its own participant', () => {
    const participants = { short: { url: 'http://s.test', keyWindow: '1s' }, long: { url: 'http://l.test' } }
    const step = call('a', {
      call: { participant: 'short', path: '/a' },
      compensate: { participant: 'long', path: '/a' },
    })
    const plan = planSaga('s', 1, { participants, steps: [step] } as Parameters<typeof planSaga>[2])
    const again = { s: 'a', n: 1, t: 0, due: 60_000, fx: 'unknown', c: 'NO_ANSWER', d: '' } as const
    const begun: Entry[] = [
      { e: 'start', t: 0, at: 0, in: null },
      { e: 'go', s: 'a', n: 1, t: 0 },
      { e: 'retry', ...again },
    ]
    const turned: Entry[] = [
      { e: 'turn', t: 0, c: 'X', d: '' },
      { e: 'undo', s: 'a', n: 1, t: 0 },
      { e: 'undo-retry', ...again },
    ]
    const keyAfter = (entries: Entry[]) => {
      const turn = new Turn('s', plan, foldEntries(entries), 5_000, { fraction: () => 0, id: () => 'x' })
      obey(turn, { id: 'o', who: 'me', action: 'retry', step: 'a' })
      return (turn.entries[0] as { k?: number }).k
    }
    expect(keyAfter(begun)).toBe(2)
    expect(keyAfter([...begun, ...turned])).toBeUndefined()
  })

  it('of what is no call begins it anew', async () => {
    const choice = { id: 'c', choice: [{ when: 'steps.a.n > 1', steps: [] }], otherwise: [final('d')] }
    const steps = [pivot('a'), { id: 'e', emit: { type: '${steps.a.type}' } }, choice]
    const run = start(steps, { a: [answer(200, { body: { n: 'x' } })] })
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.retry('e')).toBeUndefined()
    expect(run.status).toBe('needs_attention')
    expect(run.skip('e')).toBeUndefined()
    expect(run.problem).toMatchObject({ step: 'c' })
    expect(run.retry('c')).toBeUndefined()
    expect(run.status).toBe('needs_attention')
    expect(run.skip('c')).toBeUndefined()
    expect(run.status).toBe('completed')
  })
})

describe('skip and resolve', () => {
  it('go on without the step; a skipped one is not undone, a resolved one is', async () => {
    for (const how of ['skip', 'resolve'] as const) {
      const run = start([call('a'), call('b'), final('z')], { b: [answer(503)], z: [answer(402)] })
      await run.advance('1s')
      expect(how === 'skip' ? run.skip('b') : run.resolve('b', { id: 1 })).toBeUndefined()
      expect(await run.untilEnd()).toBe('compensated')
      expect(run.effects).toEqual(how === 'skip' ? ['a.do', 'a.undo'] : ['a.do', 'b.undo', 'a.undo'])
    }
  })

  it('end a wait', async () => {
    const waitFor = { type: 't', match: { subject: 'x' }, timeout: '1h' }
    const run = start([hour, { id: 'e', waitFor }, { id: 'l', lock: { key: 'k' } }], {}, { locked: ['k'] })
    expect(run.skip('w')).toBeUndefined()
    expect(run.resolve('e', { id: 'given' })).toBeUndefined()
    expect(run.skip('l')).toBeUndefined()
    expect(run.status).toBe('completed')
    expect(run.result).toEqual({ w: null, e: { id: 'given' }, l: null })
  })

  it('end an undo that is stuck, or still tried', async () => {
    for (const status of [403, 503]) {
      const run = start([call('a'), final('z')], { z: [answer(402)], 'a.undo': [answer(status)] })
      await run.advance('1s')
      expect(run.resolve('a')).toBeUndefined()
      expect(run.status).toBe('compensated')
    }
  })
})

describe('an order that cannot be carried out is refused, says why, and changes nothing', () => {
  const cases: [string, (run: Simulation) => string | undefined, string][] = [
    ['for a step that is unknown', (run) => run.retry('nope'), 'step nope was not begun'],
    ['for a step that was not begun', (run) => run.skip('b'), 'step b was not begun'],
    ['for a step that is done', (run) => run.resolve('a'), 'step a is done'],
    ['for a call on its way', (run) => run.retry('c'), 'step c is on its way; wait for its end'],
    ['to retry what waits', (run) => run.retry('w'), 'step w waits, and has not failed; skip or resolve it'],
    ['for a choice that is made', (run) => run.skip('which'), 'step which has taken a branch; name the step in it'],
    ['to resolve no step', (run) => run.resolve(undefined), 'resolve needs the step'],
  ]

  it.each(cases)('%s', async (_, order, why) => {
    const branch = { id: 'which', choice: [{ when: 'true', steps: [call('c')] }] }
    const run = start([call('a'), { id: 'all', parallel: [[branch], [hour]] }, call('b')], {
      c: [answer(200, { after: '5s' })],
    })
    await run.advance('1s')
    const before = structuredClone(run.state)
    expect(order(run)).toBe(why)
    expect(run.state).toEqual({ ...before, last: 1_000, orders: run.state.orders })
    expect(orders(run)).toMatchObject([{ no: why }])
    expect(await run.untilEnd()).toBe('completed')
  })

  it('while undoing', async () => {
    const run = start([call('a'), call('b'), final('z')], { z: [answer(402)], 'a.undo': [hang()] })
    await run.advance('1s')
    expect(run.skip('z')).toBe('nothing of step z is being undone')
    expect(run.skip('b')).toBe('nothing of step b is being undone')
    expect(run.retry('a')).toBe('the undo of step a is on its way; wait for its end')
  })

  it('while only one attempt is left to its end', async () => {
    const run = start([call('a', once)], { a: [hang()] })
    await run.advance('1s')
    expect(run.resolve('a', 1)).toMatch(/on its way/)
    await run.untilEnd()
    expect(run.status).toBe('compensated')
  })
})
