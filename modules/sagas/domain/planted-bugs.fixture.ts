import { SagaRun } from '../kit/testing/saga-run.ts'
import { encodeEntries } from './entry.ts'
import type { Plan, PlannedCall } from './plan.ts'
import type { Bug } from './random-run.fixture.ts'
import type { Turn } from './turn.ts'

/** The first undo of each saga is not sent, and taken for done. */
class SkipsAnUndo extends SagaRun {
  #skipped = false

  protected override go(turn: Turn): void {
    super.go(turn)
    const i = turn.acts.findIndex((act) => act.kind === 'call' && act.undo)
    const act = turn.acts[i]
    if (this.#skipped || act?.kind !== 'call') return
    this.#skipped = true
    turn.acts.splice(i, 1)
    turn.add({ e: 'undone', s: act.step, t: turn.t })
    super.go(turn)
  }
}

/** What a turn decided is durable only when the next thing happens: the intent of a call after the call. */
class CommitsAfterTheCall extends SagaRun {
  #late = ''

  protected override commit(turn: Turn): void {
    this.journal = this.#late + this.journal
    this.#late = encodeEntries(turn.entries)
    if (!turn.acts.some(({ kind }) => kind === 'call')) this.flush()
  }

  protected override lose(turn: Turn): void {
    this.#late = ''
    super.lose(turn)
  }

  override compact(): void {
    this.flush()
    super.compact()
  }

  private flush(): void {
    this.journal = this.#late + this.journal
    this.#late = ''
  }
}

/** A call that was lost is taken for one that never left. */
class ForgetsLostCalls extends SagaRun {
  protected override lose(turn: Turn): void {
    super.lose(turn)
    for (const [s, step] of turn.state.steps) {
      const anew = { s, t: turn.t, due: turn.t, fx: 'none', c: 'ANEW', d: '' } as const
      if (step.problem?.code === 'LOST') turn.add({ e: 'retry', n: step.attempts, k: step.key + 1, ...anew })
      const { undo } = step
      if (undo?.problem?.code === 'LOST') turn.add({ e: 'undo-retry', n: undo.attempts, k: undo.key + 1, ...anew })
    }
  }
}

/** Undos and lookups do not wait until a call is over that nobody heard of. */
class OvertakesCalls extends SagaRun {
  protected override go(turn: Turn): void {
    for (const step of turn.state.steps.values()) {
      step.silentAt = -1
      if (step.undo) step.undo.silentAt = -1
    }
    super.go(turn)
  }
}

/** Undos begin with the step that was begun first. */
class UndoesInOrder extends SagaRun {
  protected override go(turn: Turn): void {
    const { steps } = turn.state
    const entries = [...steps].reverse()
    const reverse = () => {
      steps.clear()
      for (const [id, step] of entries.splice(0)) steps.set(id, step)
    }
    if (turn.state.turned) {
      reverse()
      super.go(turn)
      entries.push(...[...steps].reverse())
      reverse()
    } else super.go(turn)
  }
}

function changeCalls(plan: Plan, change: Partial<PlannedCall>): Plan {
  const steps = [...plan.steps].map(([id, { call, undo, ...more }]) => {
    return [id, { ...more, call: call && { ...call, ...change }, undo: undo && { ...undo, ...change } }] as const
  })
  return { ...plan, steps: new Map(steps) }
}

const withoutPivot = (plan: Plan): Plan => {
  return { ...plan, steps: new Map([...plan.steps].map(([id, step]) => [id, { ...step, pivot: false }])) }
}

/** Bugs, and how they are seen. */
export const bugs: readonly (readonly [name: string, bug: Bug, seen: RegExp])[] = [
  ['skips an undo', { Run: SkipsAnUndo }, /took effect and was not undone/],
  ['commits the intent after the call', { Run: CommitsAfterTheCall }, /took effect and was not undone/],
  ['takes a lost call for one that never left', { Run: ForgetsLostCalls }, /took effect 2 times/],
  [
    'ignores the window of keys',
    { plan: (plan) => changeCalls(plan, { keyWindowMs: Infinity }) },
    /took effect 2 times/,
  ],
  ['ignores lookups and their waits', { Run: OvertakesCalls }, /took effect (2 times|after its undo)/],
  ['undoes in the order of starting', { Run: UndoesInOrder }, /undone in the order/],
  ['knows no pivot', { plan: withoutPivot }, /undone past its pivot/],
]
