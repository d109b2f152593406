import { durationMs } from '../../domain/duration.ts'
import type { Entry } from '../../domain/entry.ts'
import type { Json } from '../../domain/json.ts'
import { resultOf } from '../../domain/scope.ts'
import type { Problem, SagaState, SagaStatus } from '../../domain/state.ts'
import type { CloudEvent, TestEvent } from './events.ts'
import type { SagaRun, Sent } from './saga-run.ts'
import type { World } from './world.ts'

/** More than any saga that ends needs. */
const maxSteps = 1_000_000

/**
 * A saga that runs on a virtual clock, with participants that are functions. Nothing happens by itself: `untilEnd`, `advance`
 * and `step` let time pass. What the test does (deliver, cancel, crash, …) happens at the present virtual moment.
 */
export class Simulation {
  readonly #world: World
  readonly #run: SagaRun

  constructor(world: World, run: SagaRun) {
    this.#world = world
    this.#run = run
  }

  get id(): string {
    return this.#run.id
  }

  get status(): SagaStatus {
    return this.#run.state.status
  }

  /** The state that its journal gives; not to be changed. */
  get state(): SagaState {
    return this.#run.state
  }

  /** Virtual time since the start, ms. */
  get t(): number {
    return this.#run.t
  }

  /** What the saga came to; undefined unless it is completed. */
  get result(): Json | undefined {
    return this.status === 'completed' ? resultOf(this.#run.plan, this.state) : undefined
  }

  /** Why it is undone, or cannot go on by itself; undefined when neither is so. */
  get problem(): Problem | undefined {
    return this.state.halted ?? this.state.turned
  }

  /** Requests that were sent, lookups among them, in order. */
  get requests(): readonly Sent[] {
    return this.#run.sent
  }

  /** What took effect at participants, `<step>.do` or `<step>.undo`, in order; the same idempotency key again is none. */
  get effects(): string[] {
    const keys = new Map<string, string>()
    for (const { effect, idempotencyKey: key, step, operation } of this.requests) {
      if (effect && !keys.has(key)) keys.set(key, `${step}.${operation}`)
    }
    return [...keys.values()]
  }

  /** Events that this saga and its children have emitted. */
  get emitted(): readonly CloudEvent[] {
    return this.#world.emitted
  }

  /** All facts of the saga, the oldest first; times in ms since its start. */
  history(): Entry[] {
    return this.#run.entries
  }

  /** The saga that a `child` step has started; undefined when it has not. */
  child(step: string): Simulation | undefined {
    const id = this.state.steps.get(step)?.childId
    const run = id === undefined ? undefined : this.#world.runs.get(id)
    return run && new Simulation(this.#world, run)
  }

  /** Lets the next thing happen, at its time. False when nothing is going to. */
  step(): Promise<boolean> {
    return this.#world.agenda.step()
  }

  /**
   * Lets time pass until the saga has ended, or nothing is left that could happen.
   * @throws Error when it waits for something that never comes; and what a participant threw
   */
  async untilEnd(): Promise<SagaStatus> {
    for (let steps = 0; !this.#run.ended && (await this.step()); steps++) {
      if (steps === maxSteps) throw new Error(`Saga ${this.id} does not end: ${maxSteps} things have happened`)
    }
    if (this.#run.ended || this.status === 'needs_attention') return this.status
    const waiting = [...this.state.steps].filter(([, { status }]) => status === 'waiting').map(([id]) => id)
    throw new Error(`Saga ${this.id} does not end: it waits for ${waiting.join(', ')}, and nothing is left to happen`)
  }

  /** Lets this much time pass, such as 30d, with all that happens in it. @throws what a participant threw */
  async advance(duration: string): Promise<SagaStatus> {
    const { agenda } = this.#world
    const until = agenda.now + durationMs(duration)
    while (agenda.next !== undefined && agenda.next <= until) await agenda.step()
    agenda.now = until
    return this.status
  }

  /** An event is stored. Steps that wait for it get it at once, steps that begin to wait later do then. */
  deliver(event: TestEvent): void {
    this.#world.publish(event)
  }

  /** Somebody else lets go of a lock (option `locked`). */
  release(key: string): void {
    this.#world.release(key)
  }

  /** An operator's order. @returns why it was refused; undefined when it was carried out */
  cancel(order: { readonly step?: string; readonly note?: string } = {}): string | undefined {
    return this.#run.order({ action: 'cancel', ...order })
  }

  /** As cancel. */
  retry(step: string, note?: string): string | undefined {
    return this.#run.order({ action: 'retry', step, note })
  }

  /** As cancel. */
  skip(step: string, note?: string): string | undefined {
    return this.#run.order({ action: 'skip', step, note })
  }

  /** As cancel. Without a step it gives the result of the saga, when that could not be computed. */
  resolve(step: string | undefined, output?: Json, note?: string): string | undefined {
    return this.#run.order({ action: 'resolve', step, output, note })
  }

  /**
   * The process that runs the saga is gone: requests that are on their way arrive or not, and nobody hears of their end; what was
   * committed and not done yet is not done. Another process takes the saga over from its journal, at once.
   */
  crash(): void {
    this.#run.crash()
  }

  /** The journal is shortened as when a worker takes over a saga whose journal is long; the saga is none the wiser. */
  compact(): void {
    this.#run.compact()
  }
}
