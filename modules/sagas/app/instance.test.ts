import { noTracer } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import type { Entry } from '../domain/entry.ts'
import { planSaga } from '../domain/plan.ts'
import { foldEntries } from '../domain/state.ts'
import type { Turn } from '../domain/turn.ts'
import { hasStopped } from './ends.ts'
import type { Engine } from './engine.ts'
import { Instance } from './instance.ts'
import type { Transition } from './transition.ts'

const plan = planSaga('saga', 1, { steps: [{ id: 'w', wait: { for: '30d' } }] })

const napping: readonly Entry[] = [
  { e: 'start', t: 0, at: 0, in: null },
  { e: 'wait', s: 'w', t: 0, u: 2_592_000_000 },
]

/** A saga, such as one that waits for a month, in a worker whose commits all succeed. */
function waiting(mail = 0, of = plan, journal = napping) {
  const { signal } = new AbortController()
  const committed: Transition[] = []
  const due: string[] = []
  const turns: Turn[] = []
  const engine = {
    tracer: noTracer,
    stopping: false,
    holds: () => true,
    now: () => 1_000,
    monotonic: () => performance.now(),
    observe: (_: Instance, turn: Turn) => turns.push(turn),
    participants: { call: () => new Promise(() => undefined) },
    due: (id: string) => due.push(id),
    forget: () => undefined,
    commit: async (transition: Transition) => {
      committed.push(transition)
      return { kind: 'kept', mail: Math.max(mail, transition.mailSeen) }
    },
  } as unknown as Engine
  const state = foldEntries(journal)
  const saga = new Instance(engine, { id: 's', tenant: 't', plan: of, state, fence: '1', signal, seq: 1, mailSeen: 0 })
  return { saga, committed, due, turns }
}
const letter = (id: string) => ({ id, body: '{"kind":"lock","step":"w"}' })

it('all messages that were seen are taken in by the turn that gives the saga free', async () => {
  const { saga, committed } = waiting()
  saga.deliver(2, [letter('1'), letter('2')])
  await expect.poll(() => saga.gone).toBe(true)
  expect(committed).toMatchObject([{ mailSeen: 2, mailTaken: ['1', '2'], release: { dueAt: 2_592_000_000 } }])
})

it('a message that comes while the saga is given free is not left lying', async () => {
  const { saga, due } = waiting(3)
  saga.deliver(2, [letter('1'), letter('2')])
  await expect.poll(() => due).toEqual(['s'])
  expect(saga.gone).toBe(true)
})

it('a message is taken in once, however often it is read', async () => {
  const { saga, committed } = waiting()
  saga.deliver(1, [letter('1')])
  saga.deliver(1, [letter('1')])
  await expect.poll(() => saga.gone).toBe(true)
  expect(committed.flatMap(({ mailTaken }) => mailTaken)).toEqual(['1'])
})

it('a saga that is told to end and to undo at once has not ended', async () => {
  const request = { participant: 'p', path: '/' }
  const steps = [{ id: 'a', call: request, compensate: request }]
  const plan = planSaga('saga', 1, { participants: { p: { url: 'http://p.test' } }, steps, output: '${1 / 0}' })
  const journal: Entry[] = [
    { e: 'start', t: 0, at: 0, in: null, from: { parent: 'parent', step: 'child' } },
    { e: 'go', s: 'a', n: 1, t: 0 },
    { e: 'done', s: 'a', t: 0 },
    { e: 'halt', t: 0, c: 'EXPRESSION', d: '' },
  ]
  const { saga, committed, turns } = waiting(0, plan, journal)
  const resolve = { kind: 'order', order: { id: 'o', who: 'w', action: 'resolve', output: 1 } }
  const letters = [resolve, { kind: 'undo' }].map((message, i) => ({ id: `${i}`, body: JSON.stringify(message) }))
  saga.deliver(2, letters)
  await expect.poll(() => committed.length).toBe(1)
  expect(committed).toMatchObject([{ status: 'compensating', end: undefined, endedAt: null, mailTaken: ['0', '1'] }])
  expect(hasStopped(turns[0]!.entries, saga.state)).toBe(false)
})

it('the end of a saga is seen also when more is said after it', () => {
  const journal: Entry[] = [{ e: 'start', t: 0, at: 0, in: null }]
  const end: Entry = { e: 'end', t: 1, as: 'completed' }
  const late: Entry = { e: 'by', t: 1, m: 'm', who: 'w', a: 'cancel', no: 'the saga is completed' }
  expect(hasStopped([end, late], foldEntries([...journal, end, late]))).toBe(true)
  expect(hasStopped(journal, foldEntries(journal))).toBe(false)
})
