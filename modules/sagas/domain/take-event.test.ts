import { describe, expect, it } from 'vitest'
import { advance } from './advance.ts'
import { planSaga } from './plan.ts'
import { call, final, start } from './saga.fixture.ts'
import { foldEntries } from './state.ts'
import { deliverEvent } from './take-event.ts'
import { Turn } from './turn.ts'

const waitFor = { type: 'approved', match: { subject: 'o-1' }, timeout: '1h' }
const wait = (id: string, more: object = {}) => ({ id, waitFor: { ...waitFor, ...more }, output: '${event.id}' })
const approved = (id: string, more: object = {}) => ({ type: 'approved', source: '/s', id, subject: 'o-1', ...more })

describe('an event that several steps of a saga wait for', () => {
  it('is taken by one of them, of steps that follow each other by the first', async () => {
    const run = start([wait('a'), wait('b'), final('z')])
    run.deliver(approved('1'))
    await run.advance('1m')
    expect(run.status).toBe('running')
    run.deliver(approved('1'))
    await run.advance('1m')
    expect(run.status).toBe('running')
    run.deliver(approved('2'))
    expect(await run.untilEnd()).toBe('completed')
    expect(run.result).toMatchObject({ a: '1', b: '2' })
  })

  it('is kept for a later step when an earlier one has got another', async () => {
    const run = start([wait('a'), { id: 'pause', wait: { for: '10m' } }, wait('b')])
    for (const id of ['1', '2', '3']) run.deliver(approved(id))
    expect(await run.untilEnd()).toBe('completed')
    expect(run.result).toMatchObject({ a: '1', b: '2' })
  })

  it('is taken by the one that has waited longest, of steps side by side', async () => {
    const steps = [{ id: 'all', parallel: [[call('first'), wait('late')], [wait('b')], [wait('a')]] }]
    const run = start(steps)
    await run.advance('1m')
    for (const id of ['1', '2', '3']) {
      run.deliver(approved(id))
      await run.advance('1m')
    }
    expect(run.result).toMatchObject({ b: '1', a: '2', late: '3' })
  })

  it('goes to the first that it fits, also if it is not the one that the event was brought to', async () => {
    const narrow = wait('narrow', { match: { subject: 'o-1', 'data.level': 2 } })
    const run = start([{ id: 'all', parallel: [[wait('wide')], [narrow]] }])
    await run.advance('1m')
    run.deliver(approved('1', { data: { level: 2 } }))
    await run.advance('1m')
    expect(run.status).toBe('running')
    run.deliver(approved('2', { data: { level: 1 } }))
    await run.advance('1m')
    expect(run.status).toBe('running')
    run.deliver(approved('3', { data: { level: 2 } }))
    expect(await run.untilEnd()).toBe('completed')
    expect(run.result).toMatchObject({ wide: '1', narrow: '3' })
  })

  it('goes to the first in line whichever step it is brought to first', () => {
    const steps = [{ id: 'all', parallel: [[wait('a')], [wait('b')]] }]
    const chance = { fraction: () => 0, id: () => '' }
    const turn = new Turn('s', planSaga('s', 1, { steps }), foldEntries([]), 0, chance)
    advance(turn)
    turn.acts.length = 0
    for (const step of ['b', 'a']) deliverEvent(turn, step, approved('1'))
    expect(turn.entries.flatMap((entry) => (entry.e === 'done' ? [entry.s] : []))).toEqual(['a'])
    expect(turn.acts).toMatchObject([{ kind: 'await', step: 'b' }])
  })

  it('is known to be taken after a crash, and when the journal was made short', async () => {
    const run = start([wait('a'), wait('b')])
    run.deliver(approved('1'))
    await run.advance('1m')
    run.crash()
    run.compact()
    run.deliver(approved('1'))
    await run.advance('1m')
    run.crash()
    await run.advance('1m')
    expect(run.status).toBe('running')
    run.deliver(approved('2'))
    expect(await run.untilEnd()).toBe('completed')
    expect(run.result).toMatchObject({ a: '1', b: '2' })
  })

  it('is waited for in vain by the second', async () => {
    const run = start([{ id: 'all', parallel: [[wait('a')], [wait('b')]] }])
    await run.advance('1m')
    run.deliver(approved('1'))
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.problem).toMatchObject({ code: 'TIMEOUT', step: 'b' })
  })
})
