import { describe, expect, it } from 'vitest'
import { answer, call, final, ok, pivot } from '../../domain/saga.fixture.ts'
import { hang, postponed } from '../../kit/testing/index.ts'
import { Looked } from './look.fixture.ts'

const at = (ms: number): string => new Date(Date.parse('2026-01-01T00:00:00Z') + ms).toISOString()

describe('a saga that goes on by itself', () => {
  it('waits for nothing once it has ended', async () => {
    const saga = new Looked([call('a')])
    await saga.run.untilEnd()
    expect(saga.waits({}, { worker: null, due_at: new Date(0) })).toEqual([])
  })

  it('waits for the answer to a call, until its timeout', async () => {
    const saga = new Looked([call('a', { timeout: '5s' })], { a: [hang()] })
    await saga.run.advance('1s')
    expect(saga.waits()).toEqual([
      {
        for: 'answer',
        step: 'a',
        undo: false,
        since: at(0),
        until: at(5_000),
        detail: 'attempt 1, POST to saga/p',
      },
    ])
  })

  it('waits for the next attempt, and says what the last one came to and why none is made', async () => {
    const saga = new Looked([call('a', { retry: { initial: '30s', jitter: 0 } })], { a: [answer(503)] })
    await saga.run.advance('1s')
    const blocked = (participant: string, undo: boolean) => (undo ? undefined : `the breaker of ${participant} is open`)
    expect(saga.waits({ blocked })).toEqual([
      {
        for: 'retry',
        step: 'a',
        undo: false,
        since: at(0),
        until: at(30_000),
        detail: 'HTTP_503: the participant answered 503',
        blocked: 'the breaker of saga/p is open',
      },
    ])
  })

  it('waits for a participant that is not being called', async () => {
    const saga = new Looked([call('a')], { a: [postponed('20s'), ok] })
    await saga.run.advance('1s')
    expect(saga.waits()).toMatchObject([{ for: 'retry', until: at(20_000), detail: 'POSTPONED: its breaker is open' }])
    expect(saga.detail().steps[0]).toMatchObject({ attempts: 0, status: 'retrying', effect: 'none' })
  })

  it('waits for instants, events, locks and children, each with what would let it go on', async () => {
    const saga = new Looked(
      [
        {
          id: 'all',
          parallel: [
            [{ id: 'rest', wait: { for: '1h' } }],
            [
              {
                id: 'paid',
                waitFor: { type: 'paid', match: { subject: '${input.order}', 'data.n': 2 }, timeout: '2h' },
              },
            ],
            [{ id: 'alone', lock: { key: 'order-${input.order}', timeout: '3h' } }],
            [{ id: 'sub', child: { saga: 'other' } }],
          ],
        },
      ],
      {},
      {
        input: { order: 'o-1' },
        locked: ['order-o-1'],
        children: { other: { steps: [{ id: 'w', wait: { for: '1d' } }] } },
      },
    )
    await saga.run.advance('1m')
    const child = saga.run.child('sub')?.id
    const held = { sagaId: 'the-other', since: new Date(at(5)) }
    const waits = saga.waits({
      holder: (key) => (key === 'order-o-1' ? held : undefined),
      child: (id) => (id === child ? { status: 'running', problem: null } : undefined),
    })
    const base = { undo: false, since: at(0) }
    expect(waits).toEqual([
      { for: 'instant', step: 'rest', ...base, until: at(3_600_000), detail: `until ${at(3_600_000)}` },
      {
        for: 'event',
        step: 'paid',
        ...base,
        until: at(7_200_000),
        detail: 'an event of type paid with the fields that match',
        event: { type: 'paid', match: { subject: 'o-1', 'data.n': 2 } },
      },
      {
        for: 'lock',
        step: 'alone',
        ...base,
        until: at(3 * 3_600_000),
        detail: 'the lock order-o-1: saga the-other holds it',
        lock: { key: 'order-o-1', holder: { saga: 'the-other', since: at(5) } },
      },
      {
        for: 'child',
        step: 'sub',
        ...base,
        until: null,
        detail: 'the child saga other is running',
        child: { id: child, status: 'running', problem: null },
      },
    ])
    expect(saga.waits().map(({ detail }) => detail)).toContain('the child saga other is about to be started')
    expect(saga.waits().map(({ detail }) => detail)).toContain(
      'the lock order-o-1: nobody holds it; it is about to be granted',
    )
  })

  it('waits for the step within a branch that was taken, not for the choice', async () => {
    const saga = new Looked([
      { id: 'size', choice: [{ when: 'true', steps: [{ id: 'w', wait: { for: '1h' } }] }], otherwise: [call('a')] },
    ])
    await saga.run.advance('1m')
    expect(saga.waits()).toMatchObject([{ for: 'instant', step: 'w' }])
    expect(saga.steps()).toEqual(['size waiting', 'w waiting', 'a not_started'])
  })
})

describe('a saga that is being undone', () => {
  it('waits for the answer to a call that is still on its way', async () => {
    const saga = new Looked([call('a'), call('b', { timeout: '1m' })], { b: [hang()] })
    await saga.run.advance('1s')
    saga.run.cancel()
    expect(saga.waits()).toMatchObject([{ for: 'answer', step: 'b', undo: false, until: at(60_000) }])
    expect(saga.steps()).toEqual(['a done, undo owed', 'b calling'])
  })

  it('waits until a call that nobody heard of can arrive no more', async () => {
    const saga = new Looked([call('a', { timeout: '1m' })], { a: [hang()] })
    await saga.run.advance('1s')
    saga.run.cancel()
    saga.run.crash()
    expect(saga.waits()).toMatchObject([
      {
        for: 'instant',
        step: 'a',
        undo: true,
        until: at(62_500),
        detail: 'a call that nobody heard of may still arrive',
      },
    ])
  })

  it('waits for undos: an answer, a next attempt, and those that come after another', async () => {
    const a = call('a')
    const saga = new Looked(
      [{ ...a, compensate: { ...a.compensate, after: ['b'] } }, call('b'), call('c'), final('z')],
      { z: [answer(402)], 'b.undo': [answer(500, { after: '7s' })], 'c.undo': [hang()] },
    )
    await saga.run.advance('5s')
    expect(saga.waits().map((one) => [one.for, one.step, one.undo])).toEqual([
      ['undo', 'a', true],
      ['answer', 'b', true],
      ['answer', 'c', true],
    ])
    expect(saga.waits()[0]!.detail).toBe('it comes after the undo of b')
    await saga.run.advance('5050ms')
    expect(saga.waits().map((one) => [one.for, one.step, one.undo])).toEqual([
      ['undo', 'a', true],
      ['answer', 'b', true],
      ['retry', 'c', true],
    ])
  })

  it('waits for an operator where an undo is stuck, and for the others all the same', async () => {
    const saga = new Looked([call('a'), call('b'), final('z')], {
      z: [answer(402)],
      'b.undo': [answer(404, { body: { detail: 'no such reservation' } })],
      'a.undo': [answer(503)],
    })
    await saga.run.advance('1s')
    const waits = saga.waits()
    expect(waits).toContainEqual({
      for: 'operator',
      step: 'b',
      undo: true,
      since: at(0),
      until: null,
      detail: 'HTTP_404: 404: no such reservation',
      actions: ['retry', 'skip', 'resolve'],
    })
    expect(waits.map((one) => one.for)).toEqual(['retry', 'operator'])
    expect(saga.detail()).toMatchObject({ status: 'needs_attention', halted: { code: 'UNDO_STUCK', step: 'b' } })
  })
})

describe('a saga that needs attention', () => {
  it('waits for an operator alone: steps do not go on', async () => {
    const saga = new Looked([pivot('p'), final('z'), final('a')], { z: [answer(402)] })
    await saga.run.advance('1s')
    expect(saga.waits()).toEqual([
      {
        for: 'operator',
        step: 'z',
        undo: false,
        since: at(0),
        until: null,
        detail: 'HTTP_402: the participant answered 402',
        actions: ['retry', 'skip', 'resolve'],
      },
    ])
  })

  it('says when it can be cancelled', async () => {
    const saga = new Looked([call('a')], { a: [hang({ effect: true })] }, { participant: { keyWindow: '5s' } })
    await saga.run.advance('1h')
    expect(saga.waits()).toMatchObject([
      { for: 'operator', step: 'a', actions: ['cancel', 'retry', 'skip', 'resolve'] },
    ])
  })

  it('whose pivot is unclear can be cancelled for that step alone', async () => {
    const saga = new Looked([call('a'), pivot('p')], { p: [hang()] }, { participant: { keyWindow: '5s' } })
    await saga.run.advance('1h')
    expect(saga.waits()).toMatchObject([
      { for: 'operator', step: 'p', actions: ['cancel', 'retry', 'skip', 'resolve'] },
    ])
    expect(saga.run.cancel()).toContain('the pivot is behind it, or may be')
    expect(saga.run.cancel({ step: 'p' })).toBeUndefined()
  })

  it('because of its output waits as a whole', async () => {
    const saga = new Looked([call('a')], {}, { saga: { output: '${steps.a.nothing}' } })
    await saga.run.advance('1s')
    expect(saga.waits()).toMatchObject([{ for: 'operator', step: null, actions: ['cancel', 'resolve'] }])
  })
})

describe('a saga without a worker', () => {
  const saga = new Looked([{ id: 'w', wait: { for: '1h' } }])

  it('waits for one once it is due', () => {
    expect(saga.waits({}, { worker: null, lease_until: null, due_at: new Date(at(0)) })).toMatchObject([
      { for: 'worker', step: null, since: at(0), detail: `no worker has it: due since ${at(0)}` },
      { for: 'instant' },
    ])
    const later = { worker: null, lease_until: null, due_at: new Date(at(3_600_000)) }
    expect(saga.waits({}, later)).toMatchObject([{ for: 'instant' }])
  })

  it('or when the lease of its worker is over', () => {
    expect(saga.waits({}, { lease_until: new Date(at(-1)) })).toMatchObject([
      { for: 'worker', since: at(-1), detail: expect.stringContaining('the lease of its worker here:1 ended') },
      { for: 'instant' },
    ])
  })
})
