import { describe, expect, it } from 'vitest'
import { advance } from './advance.ts'
import { endChild } from './deliver.ts'
import { planSaga } from './plan.ts'
import { answer, call, final, ok, pivot, start, told } from './saga.fixture.ts'
import { foldEntries } from './state.ts'
import { Turn } from './turn.ts'

const participants = { p: { url: 'http://p.test' } }
const child = (more: object = {}) => ({ id: 'c', child: { saga: 'other', input: { n: '${input.n}' } }, ...more })
const begin = (
  steps: readonly object[],
  inner: readonly object[],
  script: Parameters<typeof start>[1] = {},
  more: object = {},
) => start(steps, script, { input: { n: 3 }, children: { other: { participants, steps: inner, ...more } } })

describe('a child saga', () => {
  it('is completed, and gives its result', async () => {
    const run = begin([call('a'), child(), final('z')], [call('b')], {}, { output: { sum: '${input.n + 1}' } })
    expect(await run.untilEnd()).toBe('completed')
    expect(run.result).toMatchObject({ c: { sum: 4 } })
    expect(run.child('c')?.effects).toEqual(['b.do'])
    const mapped = begin([child({ output: '${response.body.b.ok}' })], [call('b')])
    await mapped.untilEnd()
    expect(mapped.result).toEqual({ c: true })
  })

  it('that is compensated fails its step', async () => {
    const run = begin([call('a'), child(), final('z')], [call('b'), final('d')], { d: [answer(402)] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.problem).toMatchObject({ code: 'CHILD_FAILED', step: 'c' })
    expect(run.effects).toEqual(['a.do', 'a.undo'])
    expect(run.child('c')?.effects).toEqual(['b.do', 'b.undo'])
    expect(told(run)).not.toContain('undo c 1')
  })

  it('that is completed is undone with its parent, in turn', async () => {
    const run = begin([call('a'), child(), final('z')], [call('b'), call('d')], { z: [answer(402)] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(told(run).filter((one) => one.startsWith('und'))).toEqual(['undo c 1', 'undone c', 'undo a 1', 'undone a'])
    expect(run.child('c')?.status).toBe('compensated')
    expect(run.child('c')?.problem).toMatchObject({ code: 'PARENT' })
    expect(run.child('c')?.effects).toEqual(['b.do', 'd.do', 'd.undo', 'b.undo'])
  })

  it('is left alone when the step says so', async () => {
    const run = begin([call('a'), child({ compensate: false }), final('z')], [call('b')], { z: [answer(402)] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.child('c')?.status).toBe('completed')
  })

  it('that runs is undone as well', async () => {
    const run = begin([call('a'), child()], [call('b'), { id: 'w', wait: { for: '1h' } }])
    await run.advance('1m')
    run.cancel()
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.t).toBe(60_000)
    expect(run.child('c')?.effects).toEqual(['b.do', 'b.undo'])
  })

  it('whose result cannot be mapped took effect, and is undone', async () => {
    const run = begin([call('a'), child({ output: '${response.body.none}' })], [call('b')])
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.problem).toMatchObject({ code: 'EXPRESSION', step: 'c' })
    expect(run.child('c')?.effects).toEqual(['b.do', 'b.undo'])
  })

  it('past its pivot cannot be undone: that needs attention, and keeps no other undo', async () => {
    const run = begin([call('a'), child(), final('z')], [call('b'), pivot('d')], { z: [answer(402)] })
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.problem).toMatchObject({ code: 'UNDO_STUCK', step: 'c' })
    expect(run.state.steps.get('c')?.undo?.problem).toMatchObject({ code: 'CHILD_PAST_PIVOT' })
    expect(run.effects).toEqual(['a.do', 'a.undo'])
    expect(run.child('c')?.status).toBe('completed')
    expect(run.skip('c')).toBeUndefined()
    expect(run.status).toBe('compensated')
  })

  it('past its pivot that still runs is waited for', async () => {
    const inner = [call('b'), pivot('d'), { id: 'w', wait: { for: '1h' } }]
    const run = begin([call('a'), child()], inner)
    await run.advance('1m')
    run.cancel()
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.t).toBe(3_600_000)
    expect(run.child('c')?.status).toBe('completed')
    expect(run.effects).toEqual(['a.do', 'a.undo'])
  })

  it('that ends just when it is to be undone is undone', async () => {
    const wait = { id: 'w', wait: { for: '1m' } }
    const run = begin([{ id: 'all', parallel: [[child()], [wait, final('z')]] }], [call('b'), { ...wait, id: 'v' }], {
      z: [answer(402)],
    })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.child('c')?.effects).toEqual(['b.do', 'b.undo'])
    expect(run.child('c')?.status).toBe('compensated')
  })

  it('that ended before it heard of its undo is asked once more', () => {
    const parent = planSaga('s', 1, { steps: [child()] } as Parameters<typeof planSaga>[2])
    const state = foldEntries([
      { e: 'start', t: 0, at: 0, in: { n: 1 } },
      { e: 'wait', s: 'c', t: 0, id: 'c-1' },
      { e: 'turn', t: 0, c: 'X', d: '' },
    ])
    const turn = (work: (turn: Turn) => void) => {
      const one = new Turn('s', parent, state, 1, { fraction: () => 0, id: () => 'x' })
      work(one)
      advance(one)
      return one
    }
    const ask = [{ kind: 'undo-child', step: 'c', childId: 'c-1' }]
    expect(turn(() => undefined).acts).toEqual(ask)
    // This crossed the order on its way; it says nothing about whether there is a way back.
    expect(turn((one) => endChild(one, 'c', 'c-1', 'completed', null)).acts).toEqual(ask)
    expect(state.status).toBe('compensating')
    turn((one) => endChild(one, 'c', 'c-1', 'completed', null))
    expect(state.halted).toMatchObject({ code: 'UNDO_STUCK', step: 'c' })
  })

  it('that an operator said to do without runs on, and is not undone', async () => {
    const inner = [call('b'), { id: 'w', wait: { for: '1h' } }]
    const run = begin([call('a'), child(), { id: 'v', wait: { for: '2h' } }], inner)
    await run.advance('1m')
    expect(run.skip('c')).toBeUndefined()
    await run.advance('90m')
    expect(run.child('c')?.status).toBe('completed')
    run.cancel()
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.effects).toEqual(['a.do', 'a.undo'])
    expect(run.child('c')?.effects).toEqual(['b.do'])
  })

  it('whose undo takes long keeps no other undo for long', async () => {
    const script = { z: [answer(402)], 'b.undo': [answer(503)] }
    const run = begin([call('a'), child(), final('z')], [call('b')], script)
    while (run.effects.length < 2) await run.step()
    expect(run.effects).toEqual(['a.do', 'a.undo'])
    expect(run.t).toBe(5_000)
  })

  it('whose undo is stuck keeps no other undo, and the saga goes on by itself when it is through', async () => {
    const script = { z: [answer(402)], 'b.undo': [answer(403), ok] }
    const run = begin([call('a'), child(), final('z')], [call('b')], script)
    await run.advance('1d')
    expect(run.status).toBe('compensating')
    expect(run.effects).toEqual(['a.do', 'a.undo'])
    const inner = run.child('c')!
    expect(inner.status).toBe('needs_attention')
    expect(inner.retry('b')).toBeUndefined()
    expect(await run.untilEnd()).toBe('compensated')
  })

  it('that fails after the pivot is started anew by an operator', async () => {
    const run = begin([pivot('a'), { id: 'c', child: { saga: 'other' } }], [final('b')], { b: [answer(402), ok] })
    expect(await run.untilEnd()).toBe('needs_attention')
    const first = run.child('c')?.id
    expect(run.retry('c')).toBeUndefined()
    expect(await run.untilEnd()).toBe('completed')
    expect(run.child('c')?.id).not.toBe(first)
  })

  it('that took effect is not started anew', async () => {
    const run = begin(
      [pivot('a'), { id: 'c', child: { saga: 'other' }, output: '${response.body.none}' }],
      [final('b')],
    )
    expect(await run.untilEnd()).toBe('needs_attention')
    expect(run.retry('c')).toMatch(/took effect/)
    expect(run.resolve('c', { given: 1 })).toBeUndefined()
    expect(run.result).toMatchObject({ c: { given: 1 } })
  })
})

describe('crashes of the parent', () => {
  it('before the child was made, start it', async () => {
    const run = begin([child()], [call('b')])
    run.crash()
    expect(await run.untilEnd()).toBe('completed')
  })

  it('when it is to be undone before it was made, make it to undo it', async () => {
    const run = begin([call('a'), child()], [call('b')])
    while (told(run).at(-1) !== 'wait c') await run.step()
    run.cancel()
    run.crash()
    expect(await run.untilEnd()).toBe('compensated')
    expect(told(run)).toContain('undone c')
  })

  it('while it is undone, ask again', async () => {
    for (let steps = 0; steps < 12; steps++) {
      const run = begin([call('a'), child(), final('z')], [call('b')], { z: [answer(402)] })
      while (!told(run).includes('undo c 1')) await run.step()
      for (let i = 0; i < steps; i++) await run.step()
      run.crash()
      expect(await run.untilEnd()).toBe('compensated')
      expect(run.child('c')?.effects).toEqual(['b.do', 'b.undo'])
    }
  })
})
