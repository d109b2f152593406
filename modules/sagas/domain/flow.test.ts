import { describe, expect, it } from 'vitest'
import { hang } from '../kit/testing/index.ts'
import { answer, asked, call, final, ok, start, times, told } from './saga.fixture.ts'

const slow = (after: string, more: object = {}) => answer(200, { after, ...more })

describe('steps', () => {
  it('run one after another, and hand on what they gave', async () => {
    const body = { of: '${steps.a.id}', by: '${input.who}', saga: '${saga.name}' }
    const b = call('b', { call: { participant: 'p', method: 'PUT', path: '/b/${steps.a.id}', body } })
    const script = { a: [answer(200, { body: { id: 7 } })] }
    const run = start([call('a'), b], script, { input: { who: 'me' }, saga: { output: '${steps.a.id + 1}' } })
    expect(await run.untilEnd()).toBe('completed')
    expect(run.result).toBe(8)
    expect(run.requests[1]).toMatchObject({ method: 'PUT', path: '/b/7', body: { of: 7, by: 'me', saga: 'saga' } })
  })

  it('give the result as they are when the saga maps none', async () => {
    const run = start([call('a'), { id: 'w', wait: { for: '1s' } }])
    await run.untilEnd()
    expect(run.result).toEqual({ a: { ok: true }, w: null })
  })

  it('whose result cannot be computed need attention: an operator gives it', async () => {
    const run = start([call('a')], { a: [answer(200, { body: 'x' })] }, { saga: { output: '${steps.a * 2}' } })
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.problem).toMatchObject({ code: 'EXPRESSION' })
    expect(run.retry('a')).toMatch(/is done/)
    expect(run.resolve(undefined, { given: true })).toBeUndefined()
    expect(run.status).toBe('completed')
    expect(run.result).toEqual({ given: true })
    const other = start([call('a')])
    expect(other.resolve(undefined, 1)).toBe('resolve needs the step')
  })
})

describe('parallel branches', () => {
  const both = { id: 'all', parallel: [[call('a'), call('b')], [call('c')]] }

  it('run at the same time, and end together', async () => {
    const run = start([both, final('d')], { a: [slow('1s')], b: [slow('1s')], c: [slow('5s')] })
    expect(await run.untilEnd()).toBe('completed')
    expect(asked(run)).toEqual(['a.do', 'c.do', 'b.do', 'd.do'])
    expect(times(run)).toEqual([0, 0, 1_000, 5_000])
  })

  it('that fail wait for calls of others that are on their way, and undo those too', async () => {
    const run = start([both, final('d')], { a: [slow('1s')], b: [answer(402)], c: [slow('5s')] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(told(run).slice(-7)).toEqual([
      'turn b HTTP_402',
      'done c',
      'undo c 1',
      'undone c',
      'undo a 1',
      'undone a',
      'end compensated',
    ])
    expect(times(run).slice(-2)).toEqual([5_000, 5_000])
  })

  it('that fail wait for a call that never answers as well', async () => {
    const run = start([both], { a: [slow('1s')], b: [answer(402)], c: [hang({ effect: true })] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(asked(run)).toEqual(['a.do', 'c.do', 'b.do', 'c.undo', 'a.undo'])
    expect(times(run).slice(-2)).toEqual([12_500, 12_500])
  })

  it('that fail keep others from trying again', async () => {
    const run = start([both], { a: [ok], b: [answer(402, { after: '1s' })], c: [answer(503, { after: '2s' })] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(asked(run)).toEqual(['a.do', 'c.do', 'b.do', 'c.undo', 'a.undo'])
  })

  it('are undone in the reverse order of starting, whatever their order of ending', async () => {
    const three = { id: 'all', parallel: [[call('a')], [call('b')], [call('c'), call('d')]] }
    const run = start([three, final('e')], { a: [slow('3s')], b: [slow('2s')], c: [slow('1s')], e: [answer(402)] })
    await run.untilEnd()
    expect(run.effects).toEqual(['a.do', 'b.do', 'c.do', 'd.do', 'd.undo', 'c.undo', 'b.undo', 'a.undo'])
  })
})

describe('a choice', () => {
  const choice = {
    id: 'which',
    choice: [
      { when: 'input.n > 10', steps: [call('big')] },
      { when: '${input.n > 5}', steps: [call('middle'), call('more')] },
    ],
    otherwise: [call('small')],
  }

  it.each([
    [11, ['big']],
    [6, ['middle', 'more']],
    [1, ['small']],
  ])('takes the first branch that is true: %d', async (n, taken) => {
    const run = start([choice, final('z')], {}, { input: { n } })
    expect(await run.untilEnd()).toBe('completed')
    expect(asked(run)).toEqual([...taken, 'z'].map((id) => `${id}.do`))
  })

  it('is made once, whatever happens later', async () => {
    const by = { id: 'which', choice: [{ when: '!has(input.no)', steps: [call('a'), call('b')] }] }
    const run = start([by], { a: [slow('1m')], b: [answer(402)] })
    run.crash()
    expect(await run.untilEnd()).toBe('compensated')
    expect(told(run).filter((one) => one.startsWith('pick'))).toHaveLength(1)
    expect(run.effects).toEqual(['a.do', 'a.undo'])
  })

  it('with nothing to take goes on', async () => {
    const run = start([{ id: 'which', choice: [{ when: 'false', steps: [call('a')] }] }, final('z')])
    expect(await run.untilEnd()).toBe('completed')
    expect(asked(run)).toEqual(['z.do'])
  })

  it('that cannot be decided fails', async () => {
    const run = start([call('a'), choice], {}, { input: { n: 'many' } })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.problem).toMatchObject({ code: 'EXPRESSION', step: 'which' })
  })
})

it('blocks nest', async () => {
  const inner = {
    id: 'inner',
    choice: [{ when: 'true', steps: [call('b'), { id: 'deep', parallel: [[call('c')], [call('d')]] }] }],
  }
  const run = start([{ id: 'outer', parallel: [[call('a')], [inner]] }, final('e')], { e: [answer(402)] })
  expect(await run.untilEnd()).toBe('compensated')
  expect(run.effects).toEqual(
    ['a', 'b', 'c', 'd'].map((id) => `${id}.do`).concat(['d', 'c', 'b', 'a'].map((id) => `${id}.undo`)),
  )
})

describe('an emitted event', () => {
  it('is made of expressions, and has a source', async () => {
    const emit = { type: 'order.${input.kind}', subject: '${input.n}', data: { n: '${input.n}' } }
    const run = start([{ id: 'tell', emit }], {}, { input: { kind: 'paid', n: 3 }, name: 'orders' })
    expect(await run.untilEnd()).toBe('completed')
    expect(run.emitted).toEqual([
      { id: `${run.id}.tell`, type: 'order.paid', source: '/sagas/orders', subject: '3', data: { n: 3 } },
    ])
  })

  it('that cannot be made fails the step', async () => {
    for (const emit of [
      { type: '${input.none}' },
      { type: 'x', subject: '${{}}' },
      { type: 'x', data: '${input.no.such}' },
    ]) {
      const run = start([call('a'), { id: 'tell', emit }], {}, { input: { none: '' } })
      expect(await run.untilEnd()).toBe('compensated')
      expect(run.problem).toMatchObject({ code: 'EXPRESSION', step: 'tell' })
      expect(run.emitted).toEqual([])
    }
  })
})

describe('the deadline', () => {
  it('undoes what was done when it passes', async () => {
    const run = start([call('a'), { id: 'w', wait: { for: '2h' } }], {}, { saga: { deadline: '1h' } })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.t).toBe(3_600_000)
    expect(run.problem).toMatchObject({ code: 'DEADLINE' })
    expect(run.effects).toEqual(['a.do', 'a.undo'])
  })

  it('waits for the call that is on its way', async () => {
    const run = start([call('a')], { a: [slow('8s')] }, { saga: { deadline: '5s' } })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.do', 'a.undo'])
    expect(times(run)).toEqual([0, 8_000])
  })

  it('that is met leaves no trace', async () => {
    const run = start([call('a'), { id: 'w', wait: { for: '1h' } }], {}, { saga: { deadline: '2h' } })
    expect(await run.untilEnd()).toBe('completed')
    await run.advance('2h')
    expect(run.status).toBe('completed')
    expect(told(run).at(-1)).toBe('end completed')
  })
})
