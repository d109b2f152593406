import { describe, expect, it } from 'vitest'
import { hang, postponed } from '../kit/testing/index.ts'
import { answer, asked, call, final, keys, ok, pivot, start, times, told } from './saga.fixture.ts'

/** One attempt a minute for an hour. */
const minutely = { retry: { attempts: 60, initial: '1m', factor: 1, max: '1m', jitter: 0, within: '1h' } }
const forgetful = { keyWindow: '5m', timeout: '10s' }
const lookup = { path: '/requests/${key}' }

describe('a key that may be forgotten', () => {
  it('is never sent again: a person has to find out', async () => {
    const run = start([call('a', minutely)], { a: [answer(503)] }, { participant: forgetful })
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.problem).toMatchObject({ code: 'RECONCILE', step: 'a' })
    // The call at 5m would arrive up to 10 s later, and the participant may have forgotten by then.
    expect(times(run)).toEqual([0, 1, 2, 3, 4].map((n) => n * 60_000))
  })

  it('counts from the first attempt that may have shown it', async () => {
    const unseen = [answer(429), answer(429), answer(429), postponed('10m')]
    const run = start(
      [call('a', minutely)],
      { a: [...unseen, answer(503), answer(503), ok] },
      { participant: forgetful },
    )
    expect(await run.untilEnd()).toBe('completed')
    expect(new Set(keys(run))).toEqual(new Set(['a.do']))
  })

  it('is looked up, and its answer counts', async () => {
    const found = answer(200, { body: { id: 7 } })
    const run = start(
      [call('a', minutely)],
      { a: [answer(503)], 'a?': [found] },
      { participant: { ...forgetful, lookup } },
    )
    expect(await run.untilEnd()).toBe('completed')
    expect(run.result).toEqual({ a: { id: 7 } })
    expect(asked(run).slice(-2)).toEqual(['a.do', 'a.do?'])
    const [last] = run.requests.slice(-1)
    expect(last).toMatchObject({ method: 'GET', path: `/requests/${run.id}.a.do`, idempotencyKey: `${run.id}.a.do` })
    expect(last).not.toHaveProperty('body')
    expect(last?.headers).not.toHaveProperty('idempotency-key')
  })

  it('is not looked up before the call is over: what is on its way is not found', async () => {
    const script = { a: [hang()], 'a?': [ok] }
    const run = start([call('a')], script, { participant: { keyWindow: '5s', lookup } })
    await run.step()
    run.crash()
    expect(await run.untilEnd()).toBe('completed')
    expect(asked(run)).toEqual(['a.do', 'a.do?'])
    // Its timeout, and as much as it may have taken to leave.
    expect(times(run)).toEqual([0, 12_500])
  })

  it('begins anew under another one when the lookup finds nothing', async () => {
    const script = { a: [...Array(5).fill(answer(503)), ok], 'a?': [answer(404)] }
    const run = start([call('a', minutely)], script, { participant: { ...forgetful, lookup } })
    expect(await run.untilEnd()).toBe('completed')
    expect(asked(run).slice(-3)).toEqual(['a.do', 'a.do?', 'a.do'])
    expect(keys(run).slice(-3)).toEqual(['a.do', 'a.do', 'a.do.2'])
  })

  it('is looked up again while the lookup fails, and refusals of it say nothing', async () => {
    for (const failing of [answer(500), answer(401), answer(429), hang()]) {
      const script = { a: [answer(503)], 'a?': [failing, failing, ok] }
      const run = start([call('a', minutely)], script, { participant: { ...forgetful, lookup } })
      expect(await run.untilEnd()).toBe('completed')
      expect(asked(run).slice(5)).toEqual(['a.do?', 'a.do?', 'a.do?'])
    }
  })

  it('ends in an undo when the lookup fails for too long', async () => {
    const script = { a: [answer(503)], 'a?': [answer(500)] }
    const run = start([call('a', minutely)], script, { participant: { ...forgetful, lookup } })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.undo'])
  })

  it('of an undo is not sent again either', async () => {
    const compensate = { participant: 'p', path: '/undo', ...minutely }
    const script = { b: [answer(402)], 'a.undo': [answer(503)] }
    const run = start([call('a', { compensate }), final('b')], script, { participant: forgetful })
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.state.steps.get('a')?.undo).toMatchObject({ status: 'stuck', problem: { code: 'RECONCILE' } })
    const found = start(
      [call('a', { compensate }), final('b')],
      { ...script, 'a.undo?': [answer(404)] },
      {
        participant: { ...forgetful, lookup },
      },
    )
    expect(await found.untilEnd()).toBe('needs_attention')
    expect(keys(found).slice(-1)[0]).toMatch(/^a\.undo\.\d+$/)
  })

  it('is not forgotten by a crash', async () => {
    const run = start([call('a', minutely)], { a: [answer(503)] }, { participant: forgetful })
    for (let i = 0; i < 20; i++) {
      await run.advance('50s')
      run.crash()
    }
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(Math.max(...times(run))).toBeLessThanOrEqual(290_000)
  })
})

describe('a participant that repeats its errors', () => {
  const repeating = { replaysErrors: true }

  it('is not asked again: the step fails, and is undone', async () => {
    const run = start([call('a')], { a: [answer(500)] }, { participant: repeating })
    expect(await run.untilEnd()).toBe('compensated')
    expect(asked(run)).toEqual(['a.do', 'a.undo'])
  })

  it('needs a person at the pivot and after it, and in an undo', async () => {
    const atPivot = start([call('a'), pivot('b')], { b: [answer(500)] }, { participant: repeating })
    expect(await atPivot.untilEnd()).toBe('needs_attention')
    expect(asked(atPivot)).toEqual(['a.do', 'b.do'])
    const after = start([pivot('a'), final('b')], { b: [answer(500)] }, { participant: repeating })
    expect(await after.untilEnd()).toBe('needs_attention')
    const undo = start(
      [call('a'), final('b')],
      { b: [answer(402)], 'a.undo': [answer(500)] },
      { participant: repeating },
    )
    expect(await undo.untilEnd()).toBe('needs_attention')
    expect(asked(undo)).toEqual(['a.do', 'b.do', 'a.undo'])
  })

  it('is asked what became of it, when it can be; also after a crash', async () => {
    for (const crash of [false, true]) {
      const script = { a: [answer(500), ok], 'a?': [answer(404)] }
      const run = start([call('a')], script, { participant: { ...repeating, lookup } })
      await run.step()
      await run.step()
      if (crash) run.crash()
      expect(await run.untilEnd()).toBe('completed')
      expect(keys(run)).toEqual(['a.do', 'a.do', 'a.do.2'])
      expect(asked(run)).toEqual(['a.do', 'a.do?', 'a.do'])
    }
  })

  it('is still looked up when the lookup was put off or lost', async () => {
    const script = { a: [answer(500), ok], 'a?': [postponed('1m'), answer(503), hang(), answer(404)] }
    const run = start([call('a')], script, { participant: { ...repeating, lookup } })
    expect(await run.untilEnd()).toBe('completed')
    expect(asked(run)).toEqual(['a.do', 'a.do?', 'a.do?', 'a.do?', 'a.do?', 'a.do'])
  })

  it('may be asked again after anything that was no answer', async () => {
    const run = start([call('a')], { a: [hang(), ok] }, { participant: repeating })
    expect(await run.untilEnd()).toBe('completed')
    expect(told(run)).toEqual(['go a 1', 'retry a NO_ANSWER', 'go a 2', 'done a', 'end completed'])
  })
})
