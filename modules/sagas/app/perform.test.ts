import { noTracer } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import type { Entry } from '../domain/entry.ts'
import type { Outcome } from '../domain/outcome.ts'
import { planSaga } from '../domain/plan.ts'
import { foldEntries } from '../domain/state.ts'
import type { Engine } from './engine.ts'
import { Instance } from './instance.ts'
import { perform } from './perform.ts'

const definition = {
  participants: { p: { url: 'http://p.test', keyWindow: '2s', timeout: '500ms' } },
  steps: [{ id: 'a', call: { participant: 'p', path: '/a' }, retry: { attempts: 9 } }],
} as const
const plan = planSaga('saga', 1, structuredClone(definition) as unknown as Parameters<typeof planSaga>[2])
const start: Entry = { e: 'start', t: 0, at: 0, in: null }
const unanswered: readonly Entry[] = [
  start,
  { e: 'go', s: 'a', n: 1, t: 0 },
  { e: 'retry', s: 'a', n: 1, t: 600, due: 900, fx: 'unknown', c: 'NO_ANSWER', d: '' },
  { e: 'go', s: 'a', n: 2, t: 900 },
]

/** A saga whose second attempt is to be made: its participant is not called for a while, and then answers. */
function world(journal: readonly Entry[], pauses: number[]) {
  const { signal } = new AbortController()
  const world = { now: 900, monotonic: 0, calls: 0, lines: '' }
  const engine = {
    tracer: noTracer,
    stopping: true,
    holds: () => true,
    now: () => world.now,
    monotonic: () => world.monotonic,
    observe: () => undefined,
    forget: () => undefined,
    participants: {
      call: async (): Promise<Outcome> => {
        const afterMs = pauses.shift()
        if (afterMs !== undefined) return { kind: 'postponed', afterMs, why: 'open' }
        world.calls++
        return { kind: 'answered', status: 200, headers: {} }
      },
    },
    commit: async ({ lines }: { lines: string }) => {
      world.lines = lines + world.lines
      return { kind: 'kept', mail: 0 }
    },
  } as unknown as Engine
  const state = foldEntries(journal)
  const saga = new Instance(engine, { id: 's', tenant: 't', plan, state, fence: '1', signal, seq: 1, mailSeen: 0 })
  return Object.assign(world, {
    act: () => perform(saga, [{ kind: 'call', step: 'a', undo: false, look: false }]),
    turnBack: () => saga.push((turn) => turn.add({ e: 'turn', t: turn.t, c: 'CANCELLED', d: '' })),
  })
}

it('a call that waited in memory is made when its participant still knows the key', async () => {
  const run = world(unanswered, [5])
  run.act()
  await expect.poll(() => run.lines).toContain('"done"')
  expect(run.calls).toBe(1)
})

it('and is not made when it may have forgotten it meanwhile', async () => {
  const run = world(unanswered, [5])
  run.act()
  run.now = 1_400
  await expect.poll(() => run.lines).toContain('"free":1')
  expect(run.calls).toBe(0)
})

it('nor when its saga has turned back meanwhile: it would only be undone', async () => {
  const run = world([start, { e: 'go', s: 'a', n: 1, t: 900 }], [5])
  run.act()
  run.turnBack()
  await expect.poll(() => run.lines).toContain('"free":1')
  expect(run.calls).toBe(0)
})

it('nor after a commit that took so long', async () => {
  const run = world(unanswered, [])
  run.now = 1_400
  run.act()
  await expect.poll(() => run.lines).toContain('may have forgotten the key')
  expect(run.calls).toBe(0)
})

it('nor when the clock of the database stands still, or has gone back, while time passes here', async () => {
  const run = world(unanswered, [5])
  run.act()
  Object.assign(run, { now: -600_000, monotonic: 500 })
  await expect.poll(() => run.lines).toContain('may have forgotten the key')
  expect(run.calls).toBe(0)
})

it('a key that was never shown may be sent after as much time as a call may take to leave, and not later', async () => {
  const first: readonly Entry[] = [start, { e: 'go', s: 'a', n: 1, t: 0 }]
  const run = world(first, [])
  run.now = 2_000
  run.act()
  await expect.poll(() => run.lines).toContain('"done"')
  const late = world(first, [])
  late.now = 2_500
  late.act()
  await expect.poll(() => late.lines).toContain('too much time has passed')
  expect(late.calls).toBe(0)
})
