import { describe, expect, it } from 'vitest'
import { answer, call, final, ok } from '../../domain/saga.fixture.ts'
import { hang } from '../../kit/testing/index.ts'
import { Looked } from './look.fixture.ts'

const at = (ms: number): string => new Date(Date.parse('2026-01-01T00:00:00Z') + ms).toISOString()

describe('a saga that is shown', () => {
  it('has its input, its result, and each step with its times', async () => {
    const saga = new Looked(
      [call('a'), { id: 'w', wait: { for: '1m' } }, final('b')],
      { a: [answer(200, { after: '1s', body: { id: 7 } })] },
      { input: { n: 1 }, saga: { output: { id: '${steps.a.id}' }, deadline: '1d' } },
    )
    await saga.run.untilEnd()
    const detail = saga.detail()
    expect(detail).toMatchObject({
      name: 'saga',
      version: 1,
      status: 'completed',
      input: { n: 1 },
      output: { id: 7 },
      turned: null,
      halted: null,
      waitingFor: [],
      parent: null,
      startedBy: null,
      deadlineAt: at(86_400_000),
    })
    expect(detail.steps).toMatchObject([
      { id: 'a', kind: 'call', status: 'done', attempts: 1, startedAt: at(0), endedAt: at(1_000), output: { id: 7 } },
      { id: 'w', kind: 'wait', status: 'done', attempts: 0, startedAt: at(1_000), endedAt: at(61_000), output: null },
      { id: 'b', kind: 'call', status: 'done', startedAt: at(61_000), endedAt: at(61_000), undo: null },
    ])
    expect(detail.steps.every(({ effect }) => effect === 'done')).toBe(true)
  })

  it('says why it was undone, and how far', async () => {
    const saga = new Looked([call('a'), call('b'), call('c')], {
      b: [answer(402, { body: { detail: 'no money' } })],
      'a.undo': [answer(503), ok],
    })
    await saga.run.advance('1ms')
    expect(saga.steps()).toEqual(['a done, undo retrying', 'b failed', 'c not_started'])
    const [a, b] = saga.detail().steps
    expect(a?.undo).toMatchObject({ status: 'retrying', attempts: 1, problem: { code: 'HTTP_503' }, endedAt: null })
    expect(Date.parse(a?.undo?.nextAttemptAt ?? '')).toBeGreaterThan(Date.parse(at(0)))
    expect(b).toMatchObject({ effect: 'none', problem: { code: 'HTTP_402', detail: '402: no money' }, undo: null })
    await saga.run.untilEnd()
    expect(saga.detail()).toMatchObject({
      status: 'compensated',
      output: null,
      turned: { code: 'HTTP_402', detail: '402: no money', step: 'b' },
    })
    expect(saga.detail().steps[0]?.undo).toMatchObject({
      status: 'done',
      attempts: 2,
      nextAttemptAt: null,
      problem: null,
    })
  })

  it('says what is known of the effect of a call', async () => {
    const saga = new Looked([call('a')], { a: [hang()] })
    const effect = () => saga.detail().steps[0]?.effect
    await saga.run.advance('1s')
    expect(effect()).toBe('unknown')
    await saga.run.advance('9050ms')
    expect([saga.detail().steps[0]?.status, effect()]).toEqual(['retrying', 'unknown'])
  })

  it('tells what an operator skipped from what was done', async () => {
    const saga = new Looked([call('a'), call('b')], { a: [answer(503)] })
    await saga.run.advance('1s')
    saga.run.skip('a')
    await saga.run.untilEnd()
    expect(saga.steps()).toEqual(['a skipped', 'b done'])
    expect(saga.detail().steps[0]).toMatchObject({ effect: 'none', output: null, endedAt: at(1_000) })
  })

  it('shows blocks by what is within', async () => {
    const saga = new Looked([
      { id: 'p', parallel: [[call('a')], [{ id: 'w', wait: { for: '1m' } }, call('b')]] },
      { id: 'c', choice: [{ when: 'false', steps: [call('d')] }], otherwise: [call('e')] },
    ])
    await saga.run.advance('1s')
    expect(saga.steps()).toEqual([
      'p waiting',
      'a done',
      'w waiting',
      'b not_started',
      'c not_started',
      'd not_started',
      'e not_started',
    ])
    await saga.run.untilEnd()
    expect(saga.steps()).toEqual(['p done', 'a done', 'w done', 'b done', 'c done', 'd not_started', 'e done'])
    expect(saga.detail().steps.find(({ id }) => id === 'c')?.branch).toBe(-1)
  })

  it('leaves large outputs to the history', async () => {
    const saga = new Looked([call('a')], { a: [answer(200, { body: { text: 'x'.repeat(70_000) } })] })
    await saga.run.untilEnd()
    expect(saga.detail().steps[0]).toMatchObject({ output: null, outputBytes: 70_011 })
  })
})
