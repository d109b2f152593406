import type { Expression, Given, Template } from './expression.ts'
import type { Call, Child, Emit, Event, Lock, Wait, WaitFor } from './options.ts'
import { ref } from './ref.ts'
import { type CallScope, callScopeOf, type Made, make, type Scope, scopeOf } from './scope.ts'

/** An id that is taken is no id. */
type Fresh<S, M, Id> = Id extends keyof S | keyof M ? never : Id
/** What a step gives: `D` when it is not mapped. */
type Output<O, D> = Template extends O ? D : Given<O>

/**
 * Steps that run one after the other. Each method adds one and returns a new block, whose type knows the step. `I`: the
 * saga's input; `P`: names of participants; `S`: outputs of the steps that are done, by id; `M`: of those that may have run.
 */
export class Block<I, P extends string, S extends object, M extends object> {
  readonly steps: readonly object[]

  constructor(steps: readonly object[] = []) {
    this.steps = steps
  }

  /** Calls a participant over HTTP. */
  call<Id extends string, O extends Template = Template>(
    id: Id & Fresh<S, M, Id>,
    made: Made<CallScope<I, S, M>, Call<P, O>>,
  ): Block<I, P, S & Record<Id, Output<O, unknown>>, M> {
    const { participant, method, path, headers, body, output, ...more } = make(made, callScopeOf<I, S, M>(id))
    const call = { participant, method, path, headers, body }
    return this.#with({ id, call, output: output?.({ response: ref('response') }), ...more })
  }

  /** Emits an event. */
  emit<Id extends string>(
    id: Id & Fresh<S, M, Id>,
    made: Made<Scope<I, S, M>, Emit>,
  ): Block<I, P, S & Record<Id, null>, M> {
    return this.#with({ id, emit: make(made, scopeOf<I, S, M>()) })
  }

  /** Waits for a time, or until an instant. */
  wait<Id extends string>(
    id: Id & Fresh<S, M, Id>,
    made: Made<Scope<I, S, M>, Wait>,
  ): Block<I, P, S & Record<Id, null>, M> {
    return this.#with({ id, wait: make(made, scopeOf<I, S, M>()) })
  }

  /** Waits for an event that matches. */
  waitFor<Id extends string, O extends Template = Template>(
    id: Id & Fresh<S, M, Id>,
    made: Made<Scope<I, S, M>, WaitFor<O>>,
  ): Block<I, P, S & Record<Id, Output<O, Event>>, M> {
    const { output, ...waitFor } = make(made, scopeOf<I, S, M>())
    return this.#with({ id, waitFor, output: output?.({ event: ref('event') }) })
  }

  /** Runs another saga and waits until it ends. */
  child<Id extends string, O extends Template = Template>(
    id: Id & Fresh<S, M, Id>,
    made: Made<Scope<I, S, M>, Child<O>>,
  ): Block<I, P, S & Record<Id, Output<O, unknown>>, M> {
    const { saga, input, output, compensate } = make(made, scopeOf<I, S, M>())
    return this.#with({ id, child: { saga, input }, output: output?.({ response: ref('response') }), compensate })
  }

  /** Locks a key of the tenant until the saga ends. The output has the fencing number. */
  lock<Id extends string>(
    id: Id & Fresh<S, M, Id>,
    made: Made<Scope<I, S, M>, Lock>,
  ): Block<I, P, S & Record<Id, { fence: string }>, M> {
    return this.#with({ id, lock: make(made, scopeOf<I, S, M>()) })
  }

  /** Runs blocks at the same time, and waits for all of them. */
  parallel<Id extends string, T extends object>(
    id: Id & Fresh<S, M, Id>,
    build: (parallel: Parallel<I, P, S, M>) => Parallel<I, P, S, M, T>,
  ): Block<I, P, S & T, M> {
    return this.#with({ id, parallel: build(new Parallel()).branches })
  }

  /** Runs the first branch whose condition is true, if any. */
  choice<Id extends string, T extends object>(
    id: Id & Fresh<S, M, Id>,
    build: (choice: Choice<I, P, S, M>) => Choice<I, P, S, M, T>,
  ): Block<I, P, S, M & T> {
    return this.#with({ id, ...build(new Choice()).branches })
  }

  #with<N extends object, K extends object>(step: object): Block<I, P, N, K> {
    return new Block<I, P, N, K>([...this.steps, step])
  }
}

/** The branches of a parallel. `T`: outputs of their steps. */
export class Parallel<I, P extends string, S extends object, M extends object, T extends object = object> {
  readonly branches: readonly (readonly object[])[]

  constructor(branches: readonly (readonly object[])[] = []) {
    this.branches = branches
  }

  branch<N extends object, K extends object>(
    build: (block: Block<I, P, S, M>) => Block<I, P, N, K>,
  ): Parallel<I, P, S, M, T & Omit<N, keyof S>> {
    return new Parallel([...this.branches, build(new Block()).steps])
  }
}

/** The branches of a choice. `T`: outputs of their steps, one branch of which will be there. */
export class Choice<I, P extends string, S extends object, M extends object, T extends object = object> {
  readonly branches: { readonly choice: readonly object[]; readonly otherwise?: readonly object[] }

  constructor(branches: Choice<I, P, S, M>['branches'] = { choice: [] }) {
    this.branches = branches
  }

  when<N extends object, K extends object>(
    condition: (scope: Scope<I, S, M>) => string | Expression,
    build: (block: Block<I, P, S, M>) => Block<I, P, N, K>,
  ): Choice<I, P, S, M, T & Omit<N, keyof S> & Omit<K, keyof M>> {
    const branch = { when: condition(scopeOf<I, S, M>()), steps: build(new Block()).steps }
    return new Choice({ ...this.branches, choice: [...this.branches.choice, branch] })
  }

  otherwise<N extends object, K extends object>(
    build: (block: Block<I, P, S, M>) => Block<I, P, N, K>,
  ): Choice<I, P, S, M, T & Omit<N, keyof S> & Omit<K, keyof M>> {
    return new Choice({ ...this.branches, otherwise: build(new Block()).steps })
  }
}
