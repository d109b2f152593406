import { describe, expect, it } from 'vitest'
import { advance } from './advance.ts'
import type { Origin } from './entry.ts'
import { eventsSince, lagOf } from './event-time.ts'
import { planSaga } from './plan.ts'
import { foldEntries } from './state.ts'
import { deliverEvent } from './take-event.ts'
import { Turn } from './turn.ts'

const at = 1_000_000
const stateOf = (from: Origin) => foldEntries([{ e: 'start', t: 0, at, in: null, from }])

describe('events count for a saga', () => {
  it('from the event on that started it', () => {
    expect(eventsSince(stateOf({ event: '/s 1', received: 400_000 }))).toBe(400_000)
  })

  it('from five seconds before its start, when no event started it', () => {
    expect(eventsSince(stateOf({}))).toBe(995_000)
    expect(eventsSince(stateOf({ parent: 'p', step: 's' }))).toBe(995_000)
  })

  it('from as much before that as the first of its ancestors was late', () => {
    const lag = lagOf(stateOf({ event: '/s 1', received: 400_000 }))
    const child = stateOf({ parent: 'p', step: 's', lag })
    expect(eventsSince(child)).toBe(395_000)
    expect(lagOf(child)).toBe(600_000)
    expect(lagOf(stateOf({}))).toBe(0)
    // By the clock of another machine it came later than that.
    expect(lagOf(stateOf({ event: '/s 1', received: at + 5 }))).toBe(0)
  })
})

describe('a step that is brought an event', () => {
  const steps = [{ id: 'a', waitFor: { type: 'paid', match: { subject: '1' }, timeout: '1h' } }]
  const bring = (receivedAt: number | undefined) => {
    const turn = new Turn('s', planSaga('s', 1, { steps }), stateOf({}), 0, { fraction: () => 0, id: () => '' })
    advance(turn)
    turn.acts.length = 0
    deliverEvent(turn, 'a', { type: 'paid', source: '/s', id: '1', subject: '1' }, receivedAt)
    return { status: turn.state.steps.get('a')?.status, acts: turn.acts.map(({ kind }) => kind) }
  }

  it('takes one that counts', () => {
    for (const receivedAt of [995_000, 2_000_000, undefined]) {
      expect(bring(receivedAt)).toEqual({ status: 'done', acts: [] })
    }
  })

  it('waits again when it is older than the saga', () => {
    expect(bring(994_999)).toEqual({ status: 'waiting', acts: ['await'] })
  })
})
