import { describe, expect, it } from 'vitest'
import { hang, reset, unreachable } from '../kit/testing/index.ts'
import { answer, asked, call, final, ok, pivot, start, told } from './saga.fixture.ts'

const once = { retry: { attempts: 1 } }

describe('before the pivot', () => {
  it('a failure undoes what was done', async () => {
    const run = start([call('a'), call('b'), pivot('c'), final('d')], { b: [answer(402)] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.do', 'a.undo'])
  })
})

describe('the pivot', () => {
  it('that is refused, or certainly did nothing, leaves the way back open', async () => {
    for (const reply of [answer(402), answer(422), answer(302), answer(429), unreachable()]) {
      const run = start([call('a'), pivot('b', once), final('c')], { b: [reply] })
      expect(await run.untilEnd()).toBe('compensated')
      expect(run.effects).toEqual(['a.do', 'a.undo'])
    }
  })

  it('that is unclear needs attention, and nothing is undone', async () => {
    for (const reply of [answer(503), answer(409), hang(), reset(), answer(200, { unusable: 'not JSON' })]) {
      const run = start([call('a'), pivot('b', once), final('c')], { b: [reply] })
      expect(await run.untilEnd()).toBe('needs_attention')
      expect(run.problem).toMatchObject({ step: 'b' })
      expect(asked(run)).toEqual(['a.do', 'b.do'])
    }
  })

  it('that is unclear and then refused needs attention too', async () => {
    const run = start([call('a'), pivot('b')], { b: [hang(), answer(402)] })
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(asked(run)).toEqual(['a.do', 'b.do', 'b.do'])
  })

  it('that is unclear goes on by an operator’s retry, resolve or skip', async () => {
    const begin = async () => {
      const run = start([call('a'), pivot('b', once), final('c')], { b: [hang(), ok] })
      await run.untilEnd()
      return run
    }
    const retried = await begin()
    expect(retried.retry('b')).toBeUndefined()
    expect(await retried.untilEnd()).toBe('completed')
    const resolved = await begin()
    expect(resolved.resolve('b', { id: 1 })).toBeUndefined()
    expect(await resolved.untilEnd()).toBe('completed')
    expect(resolved.result).toMatchObject({ b: { id: 1 } })
    const skipped = await begin()
    expect(skipped.skip('b')).toBeUndefined()
    expect(await skipped.untilEnd()).toBe('completed')
    expect(skipped.result).toMatchObject({ b: null })
  })

  it('that is unclear is called off by an operator who knows that it did nothing', async () => {
    const run = start([call('a'), pivot('b', once), final('c')], { b: [hang()] })
    await run.untilEnd()
    expect(run.cancel()).toMatch(/name it as the step/)
    expect(run.cancel({ step: 'a' })).toMatch(/name it as the step/)
    expect(run.cancel({ step: 'b', note: 'asked them by telephone' })).toBeUndefined()
    expect(run.state.steps.get('b')).toMatchObject({ status: 'failed', effect: 'none' })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.do', 'a.undo'])
  })
})

describe('after the pivot', () => {
  it('a step is tried for long, and the saga completes', async () => {
    const script = { c: [...Array(60).fill(answer(503)), ok] }
    const run = start([call('a'), pivot('b'), final('c')], script)
    expect(await run.untilEnd()).toBe('completed')
    expect(run.t).toBeGreaterThan(3_600_000)
  })

  it('a refusal needs attention, and nothing is ever undone', async () => {
    const run = start([call('a'), pivot('b'), final('c'), final('d')], { c: [answer(402), answer(402), ok] })
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.problem).toMatchObject({ code: 'HTTP_402', step: 'c' })
    expect(run.cancel()).toMatch(/pivot/)
    expect(run.retry('c')).toBeUndefined()
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.retry('c')).toBeUndefined()
    expect(await run.untilEnd()).toBe('completed')
    expect(run.effects).toEqual(['a.do', 'b.do', 'c.do', 'd.do'])
  })

  it('what the definition says about retries holds', async () => {
    const run = start([pivot('a'), final('b', { retry: { attempts: 2 } })], { b: [answer(503)] })
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(asked(run)).toEqual(['a.do', 'b.do', 'b.do'])
  })

  it('the deadline does not count any more', async () => {
    const run = start(
      [call('a'), pivot('b'), { id: 'c', wait: { for: '2d' } }, final('d')],
      {},
      { saga: { deadline: '1d' } },
    )
    expect(await run.untilEnd()).toBe('completed')
    expect(told(run)).not.toContain('turn DEADLINE')
  })
})

it('a pivot in a choice that is not taken is none', async () => {
  const choice = { id: 'c', choice: [{ when: 'input.way', steps: [pivot('b')] }] }
  const steps = [call('a'), choice, final('d')]
  const without = start(steps, { d: [answer(402)] }, { input: { way: false } })
  expect(await without.untilEnd()).toBe('compensated')
  const past = start(steps, { d: [answer(402)] }, { input: { way: true } })
  expect(await past.untilEnd()).toBe('needs_attention')
})
