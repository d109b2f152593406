import { describe, expect, it } from 'vitest'
import { hang, postponed, type Reply, reset, unreachable } from '../kit/testing/index.ts'
import { answer, asked, call, final, keys, ok, pivot, start, times, told } from './saga.fixture.ts'

const once = { retry: { attempts: 1 } }
const twice = { retry: { attempts: 2, initial: '1s', jitter: 0 } }

/** What a step becomes of one answer: done, failed (with or without an undo that is owed), or tried again. */
const classes: [string, Reply, 'done' | 'refused' | 'again', 'none' | 'unknown'][] = [
  ['2xx', ok, 'done', 'unknown'],
  ['2xx without a body', answer(204), 'done', 'unknown'],
  ['3xx', answer(302, { headers: { location: '/else' } }), 'refused', 'none'],
  ['4xx', answer(402), 'refused', 'none'],
  ['422', answer(422), 'refused', 'none'],
  ['408', answer(408), 'again', 'unknown'],
  ['409', answer(409), 'again', 'unknown'],
  ['425', answer(425), 'again', 'none'],
  ['429', answer(429), 'again', 'none'],
  ['5xx', answer(503), 'again', 'unknown'],
  ['no answer', hang(), 'again', 'unknown'],
  ['a broken connection', reset(), 'again', 'unknown'],
  ['an answer that comes too late', answer(200, { after: '11s' }), 'again', 'unknown'],
  ['nobody there', unreachable(), 'again', 'none'],
  ['a 2xx that cannot be used', answer(200, { unusable: 'not JSON' }), 'refused', 'unknown'],
]

describe.each(classes)('%s', (_, reply, kind, effect) => {
  it(`forward: ${kind}, effect ${effect}`, async () => {
    const run = start([call('a', once)], { a: [reply] })
    const status = await run.untilEnd()
    expect(status).toBe(kind === 'done' ? 'completed' : 'compensated')
    expect(asked(run)).toEqual(kind !== 'done' && effect === 'unknown' ? ['a.do', 'a.undo'] : ['a.do'])
    const again = start([call('a', twice)], { a: [reply, ok] })
    expect(await again.untilEnd()).toBe(kind === 'refused' ? 'compensated' : 'completed')
    expect(asked(again).filter((one) => one === 'a.do')).toHaveLength(kind === 'again' ? 2 : 1)
    expect(new Set(keys(again).slice(0, kind === 'again' ? 2 : 1))).toEqual(new Set(['a.do']))
  })

  it('undo: done, stuck at once, or again', async () => {
    const steps = [call('a', { compensate: { participant: 'p', path: '/undo', ...twice } }), final('b')]
    const run = start(steps, { b: [answer(402)], 'a.undo': [reply, ok] })
    const isDone = kind === 'done' || (kind === 'refused' && effect === 'unknown')
    expect(await run.untilEnd()).toBe(kind === 'again' || isDone ? 'compensated' : 'needs_attention')
    expect(asked(run).slice(2)).toEqual(kind === 'again' ? ['a.undo', 'a.undo'] : ['a.undo'])
    expect(run.state.steps.get('a')?.undo?.status).toBe(kind === 'again' || isDone ? 'done' : 'stuck')
  })
})

describe('an answer that is cut off', () => {
  const cut = answer(200, { unusable: 'the body is not complete', cut: true })

  it('is asked for again with the same key, which brings the whole of it', async () => {
    const whole = answer(200, { body: { id: 7 } })
    const run = start([call('a'), pivot('b'), final('c')], { a: [cut, whole], b: [cut, whole], c: [cut, cut, whole] })
    expect(await run.untilEnd()).toBe('completed')
    expect(run.result).toEqual({ a: { id: 7 }, b: { id: 7 }, c: { id: 7 } })
    expect(keys(run)).toEqual(['a.do', 'a.do', 'b.do', 'b.do', 'c.do', 'c.do', 'c.do'])
    expect(told(run)).toContain('retry a NO_ANSWER')
  })

  it('is not the answer of a lookup either', async () => {
    const participant = { replaysErrors: true, lookup: { path: '/requests/${key}' } }
    const run = start([call('a')], { a: [answer(500)], 'a?': [cut, answer(200, { body: 1 })] }, { participant })
    expect(await run.untilEnd()).toBe('completed')
    expect(run.result).toEqual({ a: 1 })
  })

  it('is enough for an undo, and a status that is none of success says what it says', async () => {
    const run = start([call('a'), final('b')], { b: [{ ...cut, status: 402 }], 'a.undo': [cut] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(asked(run)).toEqual(['a.do', 'b.do', 'a.undo'])
  })
})

it('a refusal after an attempt of unknown effect leaves the undo owed', async () => {
  for (const status of [402, 422]) {
    const run = start([call('a')], { a: [hang(), answer(status)] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(asked(run)).toEqual(['a.do', 'a.do', 'a.undo'])
    expect(run.state.steps.get('a')).toMatchObject({ status: 'failed', effect: 'unknown' })
  }
})

it('a last attempt that certainly did nothing does not speak for those before it', async () => {
  for (const last of [answer(429), unreachable()]) {
    const run = start([call('a', twice)], { a: [hang({ effect: true }), last] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.do', 'a.undo'])
  }
})

it('a refusal after attempts that certainly did nothing leaves nothing to undo', async () => {
  const run = start([call('a')], { a: [unreachable(), answer(429), answer(402)] })
  expect(await run.untilEnd()).toBe('compensated')
  expect(asked(run)).toEqual(['a.do', 'a.do', 'a.do'])
})

it('keeps the answer’s body as output, or what the step maps it to', async () => {
  const body = { id: 'c-1', n: 2 }
  const plain = start([call('a')], { a: [answer(200, { body })] })
  await plain.untilEnd()
  expect(plain.result).toEqual({ a: body })
  const output = { id: '${response.body.id}', status: '${response.status}', tag: '${response.headers.etag}' }
  const mapped = start([call('a', { output })], { a: [answer(201, { body, headers: { etag: 'x' } })] })
  await mapped.untilEnd()
  expect(mapped.result).toEqual({ a: { id: 'c-1', status: 201, tag: 'x' } })
  const empty = start([call('a')], { a: [answer(204)] })
  await empty.untilEnd()
  expect(empty.result).toEqual({ a: null })
})

it('undoes a step whose answer cannot be mapped: it took effect', async () => {
  const run = start([call('a', { output: '${response.body.id}' })], { a: [answer(200, { body: {} })] })
  expect(await run.untilEnd()).toBe('compensated')
  expect(told(run)).toContain('failed a EXPRESSION')
  expect(run.effects).toEqual(['a.do', 'a.undo'])
})

it('fails a step whose request cannot be built, before it is sent', async () => {
  const run = start([call('a'), call('b', { call: { participant: 'p', path: '/${input.nope}' } })], {}, { input: {} })
  expect(await run.untilEnd()).toBe('compensated')
  expect(asked(run)).toEqual(['a.do', 'a.undo'])
  expect(run.problem).toMatchObject({ code: 'EXPRESSION', step: 'b' })
})

it('an undo whose request cannot be built is stuck, and needs attention', async () => {
  const compensate = { participant: 'p', path: '/undo', body: { id: '${input.nope}' } }
  const run = start([call('a', { compensate }), call('b'), final('c')], { c: [answer(402)] }, { input: {} })
  expect(await run.untilEnd()).toBe('needs_attention')
  expect(run.state.steps.get('a')?.undo).toMatchObject({ status: 'stuck', problem: { code: 'EXPRESSION' } })
  expect(run.effects).toEqual(['a.do', 'b.do', 'b.undo'])
})

describe('a participant that is not being called at the moment', () => {
  it('costs no attempt, and no time of the budget', async () => {
    const retry = { attempts: 3, initial: '1s', factor: 1, jitter: 0, within: '10s' }
    const off = Array(50).fill(postponed('1h'))
    const run = start(
      [call('a', { retry })],
      { a: [...off, answer(503), ...off, answer(503), ok] },
      {
        participant: { keyWindow: '30d' },
      },
    )
    expect(await run.untilEnd()).toBe('completed')
    expect(run.state.steps.get('a')?.attempts).toBe(3)
    expect(times(run).at(-1)).toBe(100 * 3_600_000 + 2_000)
  })

  it('is put off when undoing as well, and keeps nobody', async () => {
    const run = start([call('a'), call('b'), final('c')], { c: [answer(402)], 'b.undo': [postponed('1m'), ok] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.do', 'b.do', 'a.undo', 'b.undo'])
    expect(run.state.steps.get('b')?.undo?.attempts).toBe(1)
  })

  it('does not keep a saga past its deadline', async () => {
    const run = start([call('a')], { a: [postponed('1h')] }, { saga: { deadline: '90m' } })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.t).toBe(90 * 60_000)
    expect(run.effects).toEqual([])
  })
})

describe('lost calls', () => {
  it('are made again with the same key', async () => {
    const run = start([call('a')], { a: [answer(200, { after: '1s' })] })
    await run.step()
    run.crash()
    expect(await run.untilEnd()).toBe('completed')
    expect(keys(run)).toEqual(['a.do', 'a.do'])
    expect(told(run)).toEqual(['go a 1', 'retry a LOST', 'go a 2', 'done a', 'end completed'])
  })

  it('are made again also when the definition allows one attempt', async () => {
    const run = start([call('a', once)])
    run.crash()
    run.crash()
    run.crash()
    expect(await run.untilEnd()).toBe('completed')
    expect(asked(run)).toEqual(['a.do'])
  })

  it('are not made for ever: it may be the call that brings workers down', async () => {
    const run = start([call('a', once)], { a: [hang({ effect: true })], 'a.undo': [hang()] })
    for (let sent = 1; sent <= 4; sent++) {
      while (run.requests.length < sent) await run.step()
      run.crash()
    }
    expect(told(run).slice(-3)).toEqual(['go a 4', 'failed a LOST', 'turn a LOST'])
    // At once after the first, then with growing pauses.
    const [first, second, third, fourth] = times(run)
    expect(second).toBe(first)
    expect(third! - second!).toBeGreaterThanOrEqual(100)
    expect(fourth! - third!).toBeGreaterThan(third! - second!)
  })

  it('may still arrive, so that the undo waits until they are over', async () => {
    const run = start([call('a'), final('b')], { a: [hang({ effect: true })], b: [ok] })
    await run.step()
    run.crash()
    await run.step()
    run.cancel()
    run.crash()
    expect(run.status).toBe('compensating')
    await run.untilEnd()
    expect(asked(run)).toEqual(['a.do', 'a.do', 'a.undo'])
    expect(times(run)).toEqual([0, 0, 12_500])
  })

  it('of an undo are made again', async () => {
    const run = start([call('a'), final('b')], { b: [answer(402)], 'a.undo': [hang({ effect: true }), ok] })
    while (asked(run).length < 3) await run.step()
    run.crash()
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.do', 'a.undo'])
    expect(keys(run).slice(2)).toEqual(['a.undo', 'a.undo'])
  })
})
