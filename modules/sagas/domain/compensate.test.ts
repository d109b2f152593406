import { describe, expect, it } from 'vitest'
import { hang } from '../kit/testing/index.ts'
import { answer, asked, call, final, keys, ok, start, times, told } from './saga.fixture.ts'

const undo = (id: string, more: object) => call(id, { compensate: { participant: 'p', path: '/undo', ...more } })
const refused = { z: [answer(402)] }

describe('undo', () => {
  it('goes in the reverse order of starting, one after another, under keys of its own', async () => {
    const run = start([call('a'), call('b'), call('c'), final('z')], {
      ...refused,
      'b.undo': [answer(200, { after: '200ms' })],
    })
    await run.advance('100ms')
    expect(run.cancel()).toBeUndefined()
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.do', 'b.do', 'c.do', 'c.undo', 'b.undo', 'a.undo'])
    expect(times(run)).toEqual([0, 0, 0, 0, 0, 0, 200])
    expect(keys(run)).toEqual(['a.do', 'b.do', 'c.do', 'z.do', 'c.undo', 'b.undo', 'a.undo'])
  })

  it('sees what was done, and what was not', async () => {
    const body = { a: '${has(steps.a) ? steps.a.id : 0}', b: '${has(steps.b) ? 1 : 0}' }
    const a = undo('a', { body })
    const run = start([a, call('b'), final('z')], { a: [answer(200, { body: { id: 7 } })], b: [answer(402)] })
    await run.untilEnd()
    expect(run.requests.at(-1)).toMatchObject({ step: 'a', operation: 'undo', body: { a: 7, b: 0 } })
  })

  it('of what nobody knows is owed, of what certainly did nothing it is not', async () => {
    const once = { retry: { attempts: 1 } }
    const unknown = start([call('a'), call('b', once)], { b: [hang()] })
    await unknown.untilEnd()
    expect(asked(unknown)).toEqual(['a.do', 'b.do', 'b.undo', 'a.undo'])
    const none = start([call('a'), call('b', once)], { b: [answer(429)] })
    await none.untilEnd()
    expect(asked(none)).toEqual(['a.do', 'b.do', 'a.undo'])
  })

  it('is nothing when nothing was done', async () => {
    const run = start([call('a')], { a: [answer(402)] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(asked(run)).toEqual(['a.do'])
    const without = start([final('a'), final('z')], refused)
    expect(await without.untilEnd()).toBe('compensated')
    expect(asked(without)).toEqual(['a.do', 'z.do'])
  })

  it('that fails is tried again, and keeps no other one', async () => {
    const run = start([call('a'), call('b'), call('c'), final('z')], {
      ...refused,
      'c.undo': [...Array(20).fill(answer(503)), ok],
    })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.do', 'b.do', 'c.do', 'b.undo', 'a.undo', 'c.undo'])
    const a = run.requests.find(({ step, operation }) => step === 'a' && operation === 'undo')
    expect(a?.t).toBe(0)
  })

  it('that hangs keeps the next for a moment, and those that come after it until it is done', async () => {
    const steps = [undo('a', { after: ['c'] }), call('b'), undo('c', { timeout: '1m' }), call('d'), final('z')]
    const run = start(steps, { ...refused, 'c.undo': [hang(), ok], 'd.undo': [hang(), ok] })
    await run.advance('1s')
    expect(asked(run).slice(5)).toEqual(['d.undo', 'c.undo', 'b.undo'])
    expect(times(run).slice(5)).toEqual([0, 250, 500])
    expect(run.effects.slice(4)).toEqual(['b.undo'])
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects.slice(4)).toEqual(['b.undo', 'd.undo', 'c.undo', 'a.undo'])
  })

  it('that is stuck needs attention at once, and keeps no other one', async () => {
    const script = { ...refused, 'c.undo': [answer(403)], 'b.undo': [...Array(20).fill(answer(503)), ok] }
    const run = start([call('a'), call('b'), call('c'), final('z')], script)
    await run.advance('1s')
    expect(run.status).toBe('needs_attention')
    expect(run.problem).toMatchObject({ code: 'UNDO_STUCK', step: 'c' })
    expect(run.effects).toEqual(['a.do', 'b.do', 'c.do', 'a.undo'])
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.effects.at(-1)).toBe('b.undo')
    expect(run.resolve('c')).toBeUndefined()
    expect(run.status).toBe('compensated')
  })

  it('waits for those that it names', async () => {
    const script = { ...refused, 'c.undo': [answer(503), answer(503), ok] }
    const run = start([undo('a', { after: ['c'] }), call('b'), call('c'), final('z')], script)
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.do', 'b.do', 'c.do', 'b.undo', 'c.undo', 'a.undo'])
  })

  it('waits for nothing that is not owed', async () => {
    const run = start([undo('a', { after: ['b'] }), call('b', { retry: { attempts: 1 } })], { b: [answer(429)] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.do', 'a.undo'])
  })

  it('that waits for a stuck one is done when that one is', async () => {
    const run = start([undo('a', { after: ['c'] }), call('b'), call('c'), final('z')], {
      ...refused,
      'c.undo': [answer(403), ok],
    })
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.effects).toEqual(['a.do', 'b.do', 'c.do', 'b.undo'])
    expect(run.problem).toMatchObject({ step: 'c' })
    expect(run.skip('a')).toBe('nothing of step a is being undone')
    expect(run.retry('c')).toBeUndefined()
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects.slice(-2)).toEqual(['c.undo', 'a.undo'])
  })

  it('of several that are stuck needs attention until the last is through', async () => {
    const run = start([call('a'), call('b'), call('c'), final('z')], {
      ...refused,
      'c.undo': [answer(403)],
      'a.undo': [answer(403), ok],
    })
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.skip('c')).toBeUndefined()
    expect(run.status).toBe('needs_attention')
    expect(run.problem).toMatchObject({ step: 'a' })
    run.retry('a')
    expect(run.status).toBe('compensating')
    expect(await run.untilEnd()).toBe('compensated')
  })

  it('has a budget of its own', async () => {
    const a = undo('a', { retry: { attempts: 2, initial: '1s', jitter: 0 }, timeout: '3s' })
    const run = start([a, final('z')], { ...refused, 'a.undo': [hang()] })
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(times(run)).toEqual([0, 0, 0, 4_000])
    expect(told(run).slice(-2)).toEqual(['stuck a NO_ANSWER', 'halt a UNDO_STUCK'])
  })

  it('does not come before a call that broke off may have arrived', async () => {
    const run = start([call('a', { retry: { attempts: 1 }, timeout: '7s' })], {
      a: [{ silence: 'reset', effect: true }],
    })
    expect(await run.untilEnd()).toBe('compensated')
    expect(times(run)).toEqual([0, 9_500])
  })
})
