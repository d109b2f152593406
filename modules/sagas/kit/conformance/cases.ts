import { setTimeout as delay } from 'node:timers/promises'
import type { Trial } from './trial.ts'

/** One case: a name that stays, what must hold, and how it is tried. It fails by throwing. */
export interface Case {
  readonly name: string
  readonly holds: string
  readonly run: (trial: Trial) => Promise<void>
}

/** In the order in which they are run: what comes later builds on what comes first. */
export const cases: readonly Case[] = [
  {
    name: 'first-call',
    holds: 'A forward call takes effect. One that is signed with another secret does not.',
    run: async (t) => {
      if (t.options.secret !== undefined) {
        const forged = await t.caller().send('do', { forged: true })
        t.check(forged.status === 401 || forged.status === 403, 'a forged call gets 401 or 403', forged)
        await t.effects(0, 'after a forged call')
      }
      t.done(await t.caller().settle('do'), 'the forward call')
      await t.effects(1, 'after the forward call')
    },
  },
  {
    name: 'duplicate',
    holds: 'The same forward call again gets the same answer, and has no second effect.',
    run: async (t) => {
      const caller = t.caller()
      const first = t.done(await caller.settle('do'), 'the forward call')
      t.same(await caller.settle('do'), first)
      await t.effects(1, 'after two calls')
    },
  },
  {
    name: 'concurrent-duplicates',
    holds: 'Of the same forward call, eight times at once, one takes effect, and all get its answer in the end.',
    run: async (t) => {
      const caller = t.caller()
      const answers = await Promise.all(Array.from({ length: 8 }, () => caller.settle('do')))
      const first = t.done(answers[0]!, 'the forward call')
      for (const answer of answers) t.same(answer, first)
      await t.effects(1, 'after eight calls')
    },
  },
  {
    name: 'undo',
    holds: 'The undo reverts the effect.',
    run: async (t) => {
      const caller = t.caller()
      t.done(await caller.settle('do'), 'the forward call')
      t.done(await caller.settle('undo'), 'the undo')
      await t.effects(0, 'after the undo')
    },
  },
  {
    name: 'duplicate-undo',
    holds: 'The same undo again succeeds, and reverts nothing twice.',
    run: async (t) => {
      const caller = t.caller()
      t.done(await caller.settle('do'), 'the forward call')
      const first = t.done(await caller.settle('undo'), 'the undo')
      t.same(await caller.settle('undo'), first)
      await t.effects(0, 'after two undos')
    },
  },
  {
    name: 'empty-undo',
    holds: 'An undo without its forward call succeeds and changes nothing.',
    run: async (t) => {
      t.done(await t.caller().settle('undo'), 'the undo')
      await t.effects(0, 'after an undo of nothing')
    },
  },
  {
    name: 'late-forward',
    holds: 'A forward call that comes after its undo is refused for good, and has no effect.',
    run: async (t) => {
      const overtaken = t.caller()
      t.done(await overtaken.settle('undo'), 'the undo')
      t.refused(await overtaken.send('do'), 'the forward call after its undo')
      await t.effects(0, 'after an undo, then its forward call')
      const repeated = t.caller()
      t.done(await repeated.settle('do'), 'the forward call')
      t.done(await repeated.settle('undo'), 'the undo')
      await repeated.send('do')
      await t.effects(0, 'after a forward call, its undo, and the forward call again')
    },
  },
  {
    name: 'concurrent-undo',
    holds: 'A forward call and its undo at once leave nothing, whichever wins.',
    run: async (t) => {
      const race = async (headStartMs: number) => {
        const caller = t.caller()
        const forward = delay(Math.max(0, -headStartMs)).then(() => caller.send('do'))
        await delay(Math.max(0, headStartMs))
        t.done(await caller.settle('undo'), 'the undo')
        await forward
        await caller.send('do')
      }
      await Promise.all([-5, -2, 0, 0, 1, 2, 5, 10, 20, 50].map(race))
      await t.effects(0, 'after all undos')
    },
  },
  {
    name: 'other-payload',
    holds: 'The same key with another payload gets 422, and has no effect.',
    run: async (t) => {
      const caller = t.caller()
      const first = t.done(await caller.settle('do'), 'the forward call')
      const other = await caller.settle('do', { template: t.otherPayload() })
      t.check(other.status === 422, 'another payload gets 422', other)
      t.same(await caller.settle('do'), first)
      await t.effects(1, 'after both payloads')
    },
  },
  {
    name: 'refused-forward',
    holds: 'A forward call that business refuses gets a 4xx, has no effect, and its undo succeeds and changes nothing.',
    run: async (t) => {
      const caller = t.caller()
      const template = t.options.refused
      const first = t.refused(await caller.send('do', { template }), 'the refused call')
      t.same(await caller.settle('do', { template }), first)
      await t.effects(0, 'after a refused call')
      t.done(await caller.settle('undo'), 'the undo')
      await t.effects(0, 'after the undo of a refused call')
    },
  },
  {
    name: 'crash',
    holds:
      'A call that fails between its effect and its answer took no effect, or one; the same call again makes it one.',
    run: async (t) => {
      const caller = t.caller()
      const crashed = await caller.send('do', { fault: true })
      const asked = 'fails with 5xx when Splitstream-Fault: after-effect asks for it (allow faults in its test setting)'
      t.check(crashed.status === undefined || crashed.status >= 500, asked, crashed)
      t.done(await caller.settle('do'), 'the same call again')
      await t.effects(1, 'after the same call again')
    },
  },
  {
    name: 'stale-owner',
    holds: 'A call with an older fencing token than one seen for the saga is refused, and has no effect.',
    run: async (t) => {
      const caller = t.caller()
      t.done(await caller.settle('do', { fence: 7 }), 'the forward call with token 7')
      t.done(await caller.settle('do', { fence: 9 }), 'the same call with token 9')
      t.refused(await caller.send('undo', { fence: 8 }), 'an undo with token 8')
      await t.effects(1, 'after the undo of a stale owner')
      t.done(await caller.settle('undo', { fence: 9 }), 'the undo with token 9')
      await t.effects(0, 'after the undo of the owner')
    },
  },
]
