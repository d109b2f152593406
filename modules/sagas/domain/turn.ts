import type { Entry } from './entry.ts'
import { ExpressionError, type Scope } from './expression.ts'
import type { Json } from './json.ts'
import type { Plan } from './plan.ts'
import { scopeOf } from './scope.ts'
import { applyEntry, type SagaState } from './state.ts'

/**
 * What is to be done for a saga. A call leaves only after the entries of its turn are committed; everything else is written
 * in the same transaction as they are.
 */
export type Act =
  | { readonly kind: 'call'; readonly step: string; readonly undo: boolean; readonly look: boolean }
  | { readonly kind: 'emit'; readonly step: string; readonly event: EmittedEvent }
  | {
      readonly kind: 'await'
      readonly step: string
      readonly type: string
      readonly match: readonly (readonly [field: string, value: Json])[]
    }
  | { readonly kind: 'lock'; readonly step: string; readonly key: string }
  /** The step was told that its lock is free, and wants it no more: whoever is next in line gets it. */
  | { readonly kind: 'leave-line'; readonly step: string }
  | {
      readonly kind: 'child'
      readonly step: string
      readonly childId: string
      readonly saga: string
      readonly input: Json
    }
  | { readonly kind: 'undo-child'; readonly step: string; readonly childId: string }
  /** The parent asks, and this saga has ended for good: say so once more. */
  | { readonly kind: 'tell-parent' }

export interface EmittedEvent {
  readonly type: string
  readonly source: string
  readonly subject: string | undefined
  readonly data: Json | undefined
}

/** Where a turn gets what cannot be computed. */
export interface Chance {
  /** In [0, 1), for jitter. */
  fraction(): number
  /** A new saga's id. */
  id(): string
}

/**
 * One turn of a saga: from its state, at one instant, to the entries to commit and the acts that follow. Entries take effect
 * on the state at once, so that what comes later in the turn sees them; when the commit is refused, the state is thrown away.
 */
export class Turn {
  readonly id: string
  readonly plan: Plan
  readonly state: SagaState
  /** ms since the saga's start, by the database's clock. */
  readonly t: number
  readonly chance: Chance
  readonly entries: Entry[] = []
  readonly acts: Act[] = []
  /** Earliest t at which the saga has something to do, if nothing comes before. */
  wakeAt: number | undefined

  constructor(id: string, plan: Plan, state: SagaState, t: number, chance: Chance) {
    this.id = id
    this.plan = plan
    this.state = state
    // Entries never go back in time, whatever the clock does.
    this.t = Math.max(t, state.last)
    this.chance = chance
  }

  add(entry: Entry): void {
    this.entries.push(entry)
    applyEntry(this.state, entry)
  }

  act(act: Act): void {
    this.acts.push(act)
  }

  /** What is not to be done any more. */
  drop(isOver: (act: Act) => boolean): void {
    if (this.acts.some(isOver)) this.acts.splice(0, this.acts.length, ...this.acts.filter((act) => !isOver(act)))
  }

  wake(t: number): void {
    this.wakeAt = this.wakeAt === undefined ? t : Math.min(this.wakeAt, t)
  }

  /** @param step whose expressions see it; undefined for those of the saga, when all steps are done */
  scope(step: string | undefined, more?: Readonly<Record<string, Json>>): Scope {
    return scopeOf(this, step === undefined ? undefined : { step }, more)
  }

  /**
   * The value of an expression; undefined when it fails, which fails the step (or, without one, halts the saga): what
   * cannot be evaluated now will not be later, as expressions see nothing but facts.
   */
  evaluate<T>(
    step: string | undefined,
    work: () => T,
    fx: 'none' | 'unknown' = 'none',
  ): { readonly value: T } | undefined {
    try {
      return { value: work() }
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
      const problem = { t: this.t, c: 'EXPRESSION', d: error.message }
      if (step === undefined) this.add({ e: 'halt', ...problem })
      else this.add({ e: 'failed', s: step, fx, ...problem })
      return undefined
    }
  }
}
