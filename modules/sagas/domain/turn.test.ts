import { expect, it } from 'vitest'
import { obey } from './act.ts'
import { advance } from './advance.ts'
import { repeatActs } from './begin.ts'
import { endChild, grantLock } from './deliver.ts'
import { decodeEntries, type Entry, encodeEntries } from './entry.ts'
import { planSaga } from './plan.ts'
import { call, final } from './saga.fixture.ts'
import { failCall, loseCalls, postpone, settleCall, settleUndo } from './settle.ts'
import { foldEntries } from './state.ts'
import { deliverEvent } from './take-event.ts'
import { Turn } from './turn.ts'

const definition = {
  participants: { p: { url: 'http://p.test' } },
  steps: [call('a'), { id: 'w', wait: { for: '1s' } }, final('b')],
}
const planOf = (of: object) => planSaga('saga', 1, of as Parameters<typeof planSaga>[2])
const chance = { fraction: () => 0, id: () => 'child' }
const done = { kind: 'answered', status: 200, headers: {} } as const

function saga(plan = planOf(definition)) {
  const journal: Entry[] = [{ e: 'start', t: 0, at: 1_000, in: null }]
  const state = foldEntries(journal)
  const turn = (t: number, work: (turn: Turn) => void = () => undefined): Turn => {
    const one = new Turn('saga', plan, state, t, chance)
    work(one)
    advance(one)
    journal.push(...one.entries)
    return one
  }
  return { journal, state, turn }
}

it('a clock that goes back takes no entry back in time, and ends no wait early', () => {
  const { journal, state, turn } = saga()
  turn(0)
  turn(5_000, (one) => settleCall(one, 'a', false, done))
  expect(turn(-600_000).wakeAt).toBe(6_000)
  expect(turn(5_999).acts).toEqual([])
  expect(turn(6_000).acts).toEqual([{ kind: 'call', step: 'b', undo: false, look: false }])
  turn(2_000, (one) => settleCall(one, 'b', false, done))
  expect(state.status).toBe('completed')
  const times = journal.map(({ t }) => t)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

it('what comes for a call that is not on its way is not taken in', () => {
  const { state, turn } = saga()
  turn(0)
  turn(1, (one) => settleCall(one, 'a', false, done))
  const before = structuredClone(state)
  const late = turn(1, (one) => {
    settleCall(one, 'a', false, { kind: 'unknown', why: 'late' })
    settleUndo(one, 'a', false, done)
    postpone(one, 'a', false, 5, 'late')
    postpone(one, 'a', true, 5, 'late')
    failCall(one, 'a', false, 'late')
    failCall(one, 'a', true, 'late')
    for (const id of ['a', 'w', 'b', 'nope']) {
      deliverEvent(one, id, {})
      endChild(one, id, 'child', 'completed', null)
    }
    grantLock(one, 'a', '1')
    loseCalls(one)
  })
  expect(late.entries).toEqual([])
  expect(state).toEqual(before)
})

it('a saga that cannot go on by itself wakes up for nothing', () => {
  const participants = { p: { url: 'http://p.test', keyWindow: '11s' } }
  const parallel = [[{ id: 'w', wait: { for: '1h' } }], [call('a')]]
  const { state, turn } = saga(planOf({ participants, steps: [{ id: 'all', parallel }], deadline: '1d' }))
  expect(turn(0).wakeAt).toBe(3_600_000)
  turn(10_000, (one) => settleCall(one, 'a', false, { kind: 'unknown', why: 'timeout' }))
  expect(turn(20_000).wakeAt).toBeUndefined()
  expect(state.halted).toMatchObject({ code: 'RECONCILE' })
})

it('a turn without anything new writes nothing', () => {
  const { turn } = saga()
  expect(turn(0).entries).toHaveLength(1)
  for (let t = 0; t < 5; t++) expect(turn(t)).toMatchObject({ entries: [], acts: [] })
})

it('a journal is kept newest first, and comes back as it was', () => {
  const { journal, state, turn } = saga()
  turn(0)
  turn(1, (one) => settleCall(one, 'a', false, { ...done, body: { text: 'line\nbreak \u2028 "quoted"', n: 1e300 } }))
  const text = encodeEntries(journal)
  expect(text.split('\n')[0]).toContain('"wait"')
  expect(decodeEntries(text)).toEqual(journal)
  expect(foldEntries(decodeEntries(text))).toEqual(state)
  expect(encodeEntries(journal.slice(2)) + encodeEntries(journal.slice(0, 2))).toBe(text)
  expect(decodeEntries('')).toEqual([])
})

it.each([
  ['lock', { lock: { key: 'k', timeout: '1s' } }],
  ['event', { waitFor: { type: 'paid', match: { subject: 'o' }, timeout: '1s' } }],
])('a %s is not asked for once more when its time is over: nobody would give it back', (_, step) => {
  const { state, turn } = saga(planOf({ ...definition, steps: [{ id: 'w', ...step }, final('b')] }))
  expect(turn(0).acts).toHaveLength(1)
  expect(turn(999, repeatActs).acts).toHaveLength(1)
  expect(turn(1_000, repeatActs).acts).toEqual([])
  expect(state.status).toBe('compensated')
})

it('an order that comes twice is carried out and noted once', () => {
  const { journal, turn } = saga()
  turn(0)
  const order = { id: 'o', who: 'w', action: 'retry', step: 'a' } as const
  turn(1, (one) => settleCall(one, 'a', false, { kind: 'refused', permanent: false, why: 'no' }))
  for (const t of [2, 3]) turn(t, (one) => obey(one, order))
  expect(journal.filter(({ e }) => e === 'by')).toHaveLength(1)
})
