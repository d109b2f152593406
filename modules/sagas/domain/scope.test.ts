import { describe, expect, it } from 'vitest'
import { answer, call, start } from './saga.fixture.ts'

const sendsSteps = (id: string, more: object = {}) =>
  call(id, { call: { participant: 'p', path: `/${id}`, body: '${steps}' }, ...more })
const bodies = (run: ReturnType<typeof start>, step: string, operation = 'do') =>
  run.requests.flatMap((one) => (one.step === step && one.operation === operation ? [one.body] : []))

describe('steps, read as a whole', () => {
  it('are those before the step, however many of its attempts there are', async () => {
    const run = start(
      [
        call('before'),
        {
          id: 'all',
          parallel: [
            [call('own'), sendsSteps('whole')],
            [call('beside', { compensate: undefined }), call('more')],
          ],
        },
      ],
      {
        before: [answer(200, { body: 1 })],
        own: [answer(200, { body: 2 })],
        whole: [answer(503, { after: '1s' }), answer(503, { after: '1s' }), answer(200)],
        beside: [answer(200, { body: 3, after: '500ms' })],
        more: [answer(200, { body: 4, after: '700ms' })],
      },
    )
    expect(await run.untilEnd()).toBe('completed')
    const seen = { before: 1, own: 2 }
    expect(bodies(run, 'whole')).toEqual([seen, seen, seen])
  })

  it('are the same after a crash', async () => {
    const run = start([{ id: 'all', parallel: [[sendsSteps('whole')], [call('beside')]] }], {
      whole: [answer(200, { after: '5s' })],
      beside: [answer(200, { after: '1s' })],
    })
    await run.advance('2s')
    run.crash()
    expect(await run.untilEnd()).toBe('completed')
    expect(bodies(run, 'whole')).toEqual([{}, {}])
  })

  it('are for an undo those that were done when it began, and nothing that ends later', async () => {
    const child = { steps: [{ id: 'nap', wait: { for: '2s' } }] }
    const undo = { participant: 'p', path: '/undo', body: '${steps}', retry: { initial: '1s' } }
    const run = start(
      [
        {
          id: 'all',
          parallel: [
            [{ id: 'sub', child: { saga: 'child' } }],
            [call('a', { compensate: undo })],
            [{ id: 'pause', wait: { for: '1s' } }, call('b')],
          ],
        },
      ],
      {
        a: [answer(200, { body: 'a' })],
        'a.undo': [answer(503, { after: '3s' }), answer(200)],
        b: [answer(402)],
      },
      { children: { child } },
    )
    expect(await run.untilEnd()).toBe('compensated')
    const seen = { a: 'a', pause: null }
    expect(bodies(run, 'a', 'undo')).toEqual([seen, seen])
  })
})
