import { describe, expect, it } from 'vitest'
import { answer, call, final, ok } from '../../domain/saga.fixture.ts'
import { postponed } from '../../kit/testing/index.ts'
import { historyOf } from './history.ts'
import { Looked } from './look.fixture.ts'

const at = (ms: number): string => new Date(Date.parse('2026-01-01T00:00:00Z') + ms).toISOString()
const told = ({ run }: Looked) => JSON.parse(JSON.stringify(historyOf(run.history()))) as Record<string, unknown>[]

describe('a history', () => {
  it('names what happened, with its members, and nothing else', async () => {
    const retry = { initial: '1s', jitter: 0 }
    const saga = new Looked(
      [call('a', { retry }), final('z')],
      { a: [postponed('5s'), answer(503), ok], z: [answer(402)], 'a.undo': [answer(404)] },
      { input: { n: 1 } },
    )
    await saga.run.advance('1m')
    saga.run.retry('nothing')
    saga.run.resolve('a', undefined, 'refunded by hand')
    await saga.run.untilEnd()
    const problem = { code: 'HTTP_503', detail: 'the participant answered 503' }
    expect(told(saga)).toEqual([
      { n: 1, at: at(0), event: 'started', input: { n: 1 } },
      { n: 2, at: at(0), event: 'attempt_started', step: 'a', attempt: 1 },
      {
        n: 3,
        at: at(0),
        event: 'attempt_postponed',
        step: 'a',
        attempt: 1,
        code: 'POSTPONED',
        detail: 'its breaker is open',
        effect: 'none',
        nextAttemptAt: at(5_000),
      },
      { n: 4, at: at(5_000), event: 'attempt_started', step: 'a', attempt: 1 },
      {
        n: 5,
        at: at(5_000),
        event: 'attempt_failed',
        step: 'a',
        attempt: 1,
        ...problem,
        effect: 'unknown',
        nextAttemptAt: at(6_000),
      },
      { n: 6, at: at(6_000), event: 'attempt_started', step: 'a', attempt: 2 },
      { n: 7, at: at(6_000), event: 'step_done', step: 'a', output: { ok: true } },
      { n: 8, at: at(6_000), event: 'attempt_started', step: 'z', attempt: 1 },
      {
        n: 9,
        at: at(6_000),
        event: 'step_failed',
        step: 'z',
        code: 'HTTP_402',
        detail: 'the participant answered 402',
        effect: 'none',
      },
      {
        n: 10,
        at: at(6_000),
        event: 'turned_back',
        step: 'z',
        code: 'HTTP_402',
        detail: 'the participant answered 402',
      },
      { n: 11, at: at(6_000), event: 'attempt_started', step: 'a', undo: true, attempt: 1 },
      {
        n: 12,
        at: at(6_000),
        event: 'undo_stuck',
        step: 'a',
        undo: true,
        code: 'HTTP_404',
        detail: 'the participant answered 404',
      },
      {
        n: 13,
        at: at(6_000),
        event: 'halted',
        step: 'a',
        code: 'UNDO_STUCK',
        detail: 'the participant answered 404',
      },
      {
        n: 14,
        at: at(60_000),
        event: 'operator_refused',
        action: 'retry',
        order: 'order-1',
        who: 'tester',
        step: 'nothing',
        reason: 'step nothing was not begun',
      },
      {
        n: 15,
        at: at(60_000),
        event: 'operator_acted',
        action: 'resolve',
        order: 'order-2',
        who: 'tester',
        step: 'a',
        note: 'refunded by hand',
      },
      { n: 16, at: at(60_000), event: 'compensated' },
    ])
  })

  it('tells of waits, branches, children and results', async () => {
    const saga = new Looked(
      [
        { id: 'w', wait: { for: '1m' } },
        { id: 'c', choice: [{ when: 'true', steps: [{ id: 'sub', child: { saga: 'other' } }] }] },
      ],
      {},
      { children: { other: { steps: [{ id: 'x', wait: { for: '1s' } }], output: 5 } } },
    )
    await saga.run.untilEnd()
    const child = saga.run.child('sub')!
    expect(told(saga).map(({ n: _, at: __, ...rest }) => rest)).toEqual([
      { event: 'started', input: null },
      { event: 'wait_started', step: 'w', until: at(60_000) },
      { event: 'step_done', step: 'w', output: null },
      { event: 'branch_taken', step: 'c', branch: 0 },
      { event: 'wait_started', step: 'sub', until: null, child: child.id },
      { event: 'step_done', step: 'sub', output: 5 },
      { event: 'completed', output: null },
    ])
    expect(historyOf(child.history())[0]).toMatchObject({
      event: 'started',
      from: { parent: saga.run.id, step: 'sub' },
    })
  })

  it('that was shortened says how many attempts there were', async () => {
    const retry = { attempts: 500, initial: '1m', factor: 1, max: '1m', within: '30d' }
    const saga = new Looked([call('a', { retry })], { a: [answer(503)] })
    await saga.run.advance('5h')
    saga.run.compact()
    const [summary] = told(saga).filter(({ event }) => event === 'attempts_summarized')
    expect(summary).toMatchObject({ step: 'a', code: 'HTTP_503', attempts: expect.any(Number) as number })
    expect(saga.detail().steps[0]).toMatchObject({ startedAt: at(0), status: 'retrying' })
  })
})
