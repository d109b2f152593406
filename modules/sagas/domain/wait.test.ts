import { describe, expect, it } from 'vitest'
import { answer, asked, call, final, start, told } from './saga.fixture.ts'

describe('wait', () => {
  it('lasts for its time, also through crashes', async () => {
    const run = start([{ id: 'w', wait: { for: '30d' } }, final('a')])
    for (let day = 0; day < 29; day++) {
      await run.advance('1d')
      run.crash()
      expect(asked(run)).toEqual([])
    }
    expect(await run.untilEnd()).toBe('completed')
    expect(run.t).toBe(30 * 86_400_000)
  })

  it('lasts until an instant, which may be over', async () => {
    const at = (until: string) =>
      start([{ id: 'w', wait: { until } }], {}, { input: { at: '2026-01-02T01:00:00+01:00' } })
    const run = at('${input.at}')
    expect(await run.untilEnd()).toBe('completed')
    expect(run.t).toBe(86_400_000)
    const past = at('2020-01-01T00:00:00Z')
    expect(await past.untilEnd()).toBe('completed')
    expect(past.t).toBe(0)
    const tenth = at('2026-01-01T00:00:00.0001Z')
    await tenth.untilEnd()
    expect(tenth.t).toBe(1)
  })

  it.each([['soon'], ['2026-01-02'], ['2026-01-02T00:00:00'], ['1'], [7], [null]])('until %j fails', async (at) => {
    const run = start([call('a'), { id: 'w', wait: { until: '${input.at}' } }], {}, { input: { at } })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.problem).toMatchObject({ code: 'EXPRESSION', step: 'w' })
  })

  it('ends when the saga is cancelled', async () => {
    const run = start([call('a'), { id: 'w', wait: { for: '30d' } }])
    await run.advance('1d')
    run.cancel()
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.t).toBe(86_400_000)
  })
})

describe('waitFor', () => {
  const waitFor = { type: 'order.paid', match: { subject: '${input.order}', 'data.part.no': 2 }, timeout: '1h' }
  const paid = (more: object = {}) => ({
    type: 'order.paid',
    subject: 'o-1',
    data: { part: { no: 2 }, sum: 5 },
    ...more,
  })
  const wait = (more: object = {}) =>
    start([call('a'), { id: 'w', waitFor, ...more }, final('z')], {}, { input: { order: 'o-1' } })

  it('goes on with the event that matches, and no other', async () => {
    const run = wait({ output: '${event.data.sum}' })
    await run.advance('1m')
    for (const other of [{ type: 'else' }, { subject: 'o-2' }, { data: { part: { no: 3 } } }, { data: 'text' }])
      run.deliver(paid(other))
    await run.advance('1m')
    expect(run.status).toBe('running')
    run.deliver(paid())
    run.deliver(paid({ data: { part: { no: 2 }, sum: 6 } }))
    expect(await run.untilEnd()).toBe('completed')
    expect(run.result).toMatchObject({ w: 5 })
  })

  it('takes an event that came before it waited', async () => {
    const run = wait({ output: '${event.id}' })
    run.deliver(paid({ id: 'early' }))
    expect(await run.untilEnd()).toBe('completed')
    expect(run.result).toMatchObject({ w: 'early' })
  })

  it('gives the whole event when nothing is mapped', async () => {
    const run = start(
      [{ id: 'w', waitFor }],
      {},
      {
        input: { order: 'o-1' },
        events: [{ after: '10m', event: paid({ source: '/shop', id: '7' }) }],
      },
    )
    expect(await run.untilEnd()).toBe('completed')
    expect(run.t).toBe(600_000)
    expect(run.result).toEqual({ w: { specversion: '1.0', id: '7', source: '/shop', ...paid() } })
  })

  it('fails when its time is over, or goes on', async () => {
    const failing = wait()
    expect(await failing.untilEnd()).toBe('compensated')
    expect(failing.t).toBe(3_600_000)
    expect(failing.problem).toMatchObject({ code: 'TIMEOUT', step: 'w' })
    const going = wait({ waitFor: { ...waitFor, onTimeout: 'continue' } })
    expect(await going.untilEnd()).toBe('completed')
    expect(going.result).toMatchObject({ w: null })
  })

  it('does not care for events once the saga is being undone', async () => {
    const steps = [{ id: 'all', parallel: [[call('a')], [{ id: 'w', waitFor }]] }]
    const run = start(steps, { a: [answer(402, { after: '5s' })] }, { input: { order: 'o-1' } })
    run.deliver({ type: 'x' })
    await run.advance('1s')
    run.cancel()
    run.deliver(paid())
    expect(await run.untilEnd()).toBe('compensated')
    expect(told(run)).not.toContain('done w')
  })

  it('fails when the event cannot be mapped', async () => {
    const run = wait({ output: '${event.data.none}' })
    run.deliver(paid())
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.problem).toMatchObject({ code: 'EXPRESSION', step: 'w' })
  })

  it('outlives a crash, also one before it was heard of', async () => {
    const run = wait()
    await run.step()
    await run.step()
    expect(told(run).at(-1)).toBe('wait w')
    run.crash()
    run.crash()
    run.deliver(paid())
    expect(await run.untilEnd()).toBe('completed')
  })

  it('gets what its own saga emits', async () => {
    const run = start([
      { id: 'tell', emit: { type: 't', data: { n: 1 } } },
      { id: 'w', waitFor: { type: 't', match: { 'data.n': 1 }, timeout: '1h' } },
    ])
    expect(await run.untilEnd()).toBe('completed')
    expect(run.t).toBe(0)
  })
})

describe('lock', () => {
  const lock = { id: 'l', lock: { key: 'account-${input.n}', timeout: '10m' } }

  it('is held under a fencing number', async () => {
    const run = start(
      [lock, call('a', { call: { participant: 'p', path: '/a', body: '${steps.l.fence}' } })],
      {},
      { input: { n: 7 } },
    )
    expect(await run.untilEnd()).toBe('completed')
    expect(run.requests[0]?.body).toBe('1')
  })

  it('is waited for', async () => {
    const run = start([lock, final('a')], {}, { input: { n: 7 }, locked: ['account-7'] })
    await run.advance('5m')
    run.crash()
    expect(run.status).toBe('running')
    run.release('account-7')
    expect(await run.untilEnd()).toBe('completed')
    expect(run.t).toBe(300_000)
  })

  it('is not waited for without end', async () => {
    const run = start([call('a'), lock], {}, { input: { n: 7 }, locked: ['account-7'] })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.t).toBe(600_000)
    expect(run.problem).toMatchObject({ code: 'TIMEOUT', step: 'l' })
  })

  it('that comes when the saga is being undone changes nothing', async () => {
    const run = start(
      [call('a'), lock],
      { 'a.undo': [answer(503), answer(200)] },
      { input: { n: 7 }, locked: ['account-7'] },
    )
    await run.advance('1s')
    run.cancel()
    run.release('account-7')
    expect(await run.untilEnd()).toBe('compensated')
    expect(told(run)).not.toContain('done l')
  })

  it('whose key is no text fails', async () => {
    for (const n of [null, {}, []]) {
      const bare = { id: 'l', lock: { key: '${input.n}' } }
      const run = start([call('a'), bare], {}, { input: { n } })
      expect(await run.untilEnd()).toBe('compensated')
      expect(run.problem).toMatchObject({ code: 'EXPRESSION', step: 'l' })
    }
  })

  it('is handed on when its holder ends', async () => {
    const child = { id: 'c', child: { saga: 'other' } }
    const held = {
      steps: [
        { id: 'm', lock: { key: 'k' } },
        { id: 'w', wait: { for: '1m' } },
      ],
    }
    const run = start(
      [
        {
          id: 'all',
          parallel: [
            [child],
            [
              { id: 'w', wait: { for: '1s' } },
              { id: 'l', lock: { key: 'k', timeout: '1h' } },
            ],
          ],
        },
      ],
      {},
      {
        children: { other: held },
      },
    )
    expect(await run.untilEnd()).toBe('completed')
    expect(run.t).toBe(60_000)
    expect(run.result).toMatchObject({ l: { fence: '2' } })
  })
})
