import { parseDefinition } from '../../domain/check-definition.ts'
import type { SagaDefinition } from '../../domain/definition.ts'
import { Block } from './block.ts'
import type { Expression, Template } from './expression.ts'
import type { Event, ParticipantOptions } from './options.ts'
import { type Ref, ref } from './ref.ts'
import { type Scope, scopeOf } from './scope.ts'

export interface TriggerOptions {
  /** Only for events of which this is true. */
  when?: string | Expression
  /** The saga's input; the event's data when not given. */
  input?: Template
}

/** Begins a saga definition in TypeScript; `build()` ends it. It is published under `name`. */
export function saga(name: string): Saga<unknown, never> {
  return new Saga(name, {})
}

/** A definition in the making. Each method returns a new one. `I`: type of the input; `P`: names of participants. */
export class Saga<I, P extends string> {
  readonly name: string
  readonly #body: object

  constructor(name: string, body: object) {
    this.name = name
    this.#body = body
  }

  description(description: string): Saga<I, P> {
    return this.#with({ description })
  }

  /** Tells the compiler what the input is; the engine does not check it. */
  input<T>(): Saga<T, P> {
    return this.#with({})
  }

  /** Who is called, by name. */
  participants<T extends string>(participants: Readonly<Record<T, ParticipantOptions>>): Saga<I, T> {
    return this.#with({ participants })
  }

  /** Each stored event of this type starts exactly one saga. */
  trigger(type: string, options?: (scope: { readonly event: Ref<Event> }) => TriggerOptions): Saga<I, P> {
    return this.#with({ trigger: { type, ...options?.({ event: ref('event') }) } })
  }

  /** Whether `POST /v1/sagas/{name}` needs an Idempotency-Key; required when not said. */
  idempotencyKey(idempotencyKey: 'required' | 'optional'): Saga<I, P> {
    return this.#with({ idempotencyKey })
  }

  /** From the start, such as `1d`; a saga that is not past its pivot is undone then. */
  deadline(deadline: string): Saga<I, P> {
    return this.#with({ deadline })
  }

  steps<S extends object, M extends object>(
    build: (block: Block<I, P, object, object>) => Block<I, P, S, M>,
  ): Ready<I, S, M> {
    return new Ready(this.name, { ...this.#body, steps: build(new Block()).steps })
  }

  #with<T, N extends string>(members: object): Saga<T, N> {
    return new Saga<T, N>(this.name, { ...this.#body, ...members })
  }
}

/** A definition that has its steps. */
export class Ready<I, S extends object, M extends object> {
  readonly name: string
  readonly #body: object

  constructor(name: string, body: object) {
    this.name = name
    this.#body = body
  }

  /** The result of the saga; the outputs of its steps when not given. */
  output(make: (scope: Scope<I, S, M>) => Template): Ready<I, S, M> {
    return new Ready(this.name, { ...this.#body, output: make(scopeOf<I, S, M>()) })
  }

  /**
   * The definition, as it is published.
   * @throws AppError UNPROCESSABLE with `details.problems`, as publishing it would
   */
  build(): SagaDefinition {
    // Through JSON: expressions become text, and what is undefined goes.
    return parseDefinition(this.name, JSON.parse(JSON.stringify(this.#body)))
  }
}
