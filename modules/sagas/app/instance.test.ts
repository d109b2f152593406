import { noTracer } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { planSaga } from '../domain/plan.ts'
import { foldEntries } from '../domain/state.ts'
import type { Engine } from './engine.ts'
import { Instance } from './instance.ts'
import type { Transition } from './transition.ts'

const plan = planSaga('saga', 1, { steps: [{ id: 'w', wait: { for: '30d' } }] })

/** A saga that waits for a month, in a worker whose commits all succeed. */
function waiting(mail = 0) {
  const { signal } = new AbortController()
  const committed: Transition[] = []
  const due: string[] = []
  const engine = {
    tracer: noTracer,
    stopping: false,
    holds: () => true,
    now: () => 1_000,
    observe: () => undefined,
    due: (id: string) => due.push(id),
    forget: () => undefined,
    commit: async (transition: Transition) => {
      committed.push(transition)
      return { kind: 'kept', mail: Math.max(mail, transition.mailSeen) }
    },
  } as unknown as Engine
  const state = foldEntries([
    { e: 'start', t: 0, at: 0, in: null },
    { e: 'wait', s: 'w', t: 0, u: 2_592_000_000 },
  ])
  const saga = new Instance(engine, { id: 's', tenant: 't', plan, state, fence: '1', signal, seq: 1, mailSeen: 0 })
  return { saga, committed, due }
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
