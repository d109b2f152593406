import type { SagaDefinition } from '../../domain/definition.ts'
import { eventsSince } from '../../domain/event-time.ts'
import type { Json } from '../../domain/json.ts'
import { type Plan, planSaga } from '../../domain/plan.ts'
import { takenEvents } from '../../domain/take-event.ts'
import { triggeredBy } from '../../domain/trigger.ts'
import type { Chance } from '../../domain/turn.ts'
import { Agenda } from './agenda.ts'
import { seededChance } from './chance.ts'
import { type CloudEvent, complete, type Match, matches, type TestEvent } from './events.ts'
import type { Participant } from './request.ts'
import { SagaRun } from './saga-run.ts'

/** What the sagas of a simulation share: the clock, the participants, events, locks, and each other. */
export class World {
  readonly agenda: Agenda
  readonly chance: Chance
  readonly participants: Readonly<Record<string, Participant>>
  readonly runs = new Map<string, SagaRun>()
  readonly emitted: CloudEvent[] = []
  readonly #plans = new Map<string, Plan>()
  readonly #events: { readonly at: number; readonly event: CloudEvent }[] = []
  readonly #waits: { readonly run: SagaRun; readonly step: string; readonly type: string; readonly match: Match }[] = []
  /** Key → the saga that holds it; undefined for somebody else. */
  readonly #holders = new Map<string, SagaRun | undefined>()
  #queue: { readonly run: SagaRun; readonly step: string; readonly key: string }[] = []
  #fence = 0
  readonly #toUndo = new Set<string>()

  constructor(o: {
    definitions: Readonly<Record<string, SagaDefinition>>
    participants: Readonly<Record<string, Participant>>
    locked: readonly string[]
    seed: number
    now: number
  }) {
    this.agenda = new Agenda(o.now)
    this.chance = seededChance(o.seed)
    this.participants = o.participants
    for (const [name, definition] of Object.entries(o.definitions)) {
      this.#plans.set(name, planSaga(name, 1, definition))
    }
    for (const key of o.locked) this.#holders.set(key, undefined)
  }

  /** Makes a saga, and takes its first turn. A child that is there already is that child. */
  start(name: string, id: string, input: Json, parent?: SagaRun['parent']): SagaRun {
    const known = this.runs.get(id)
    if (known) return known
    const run = this.#make(name, id, parent)
    run.begin(input, parent && { parent: parent.run.id, step: parent.step })
    if (this.#toUndo.delete(id)) run.undo()
    return run
  }

  /** Makes the saga that an event triggers. @throws Error when it triggers none */
  trigger(name: string, given: TestEvent): SagaRun {
    const { trigger } = this.#planOf(name)
    const event = this.#keep(given)
    if (!trigger || trigger.type !== event.type)
      throw new Error(`event: the trigger of saga ${name} is not of type ${event.type}`)
    const triggered = triggeredBy(trigger, event)
    if (!triggered) throw new Error(`event: trigger.when of saga ${name} is false for it`)
    const from = { event: nameOf(event), received: this.agenda.now }
    const run = this.#make(name, this.chance.id(), undefined)
    if ('input' in triggered) run.begin(triggered.input, from)
    else run.begin(null, from, triggered.problem)
    return run
  }

  /** A parent says so to its child, which may not be there yet. */
  undo(id: string): void {
    const run = this.runs.get(id)
    if (run) run.undo()
    else this.#toUndo.add(id)
  }

  /** For tests of the kit itself, which plant bugs here. */
  protected newRun(plan: Plan, id: string, parent: SagaRun['parent']): SagaRun {
    return new SagaRun(this, plan, id, parent)
  }

  /** An event is stored: steps that wait for it get it, and so do those that wait for it later. */
  publish(given: TestEvent): void {
    const event = this.#keep(given)
    for (const wait of this.#waits.filter(({ type, match }) => matches(event, type, match))) {
      this.#waits.splice(this.#waits.indexOf(wait), 1)
      wait.run.deliver(wait.step, event)
    }
  }

  awaitEvent(run: SagaRun, step: string, type: string, match: Match): void {
    const { origin } = run.state
    const since = eventsSince(run.state)
    const gone = new Set([origin.event, ...takenEvents(run.state).map(([source, id]) => nameOf({ source, id }))])
    const early = this.#events.find(({ at, event }) => {
      return at >= since && !gone.has(nameOf(event)) && matches(event, type, match)
    })
    if (early) return run.deliver(step, early.event)
    if (this.#waits.some((wait) => wait.run === run && wait.step === step)) return
    this.#waits.push({ run, step, type, match })
  }

  /** Grants the lock to the step, now or when it is free. */
  takeLock(run: SagaRun, step: string, key: string): void {
    const holder = this.#holders.get(key)
    if (this.#holders.has(key) && holder !== run) {
      this.#queue.push({ run, step, key })
      return
    }
    this.#holders.set(key, run)
    run.grant(step, String(++this.#fence))
  }

  /** Lets go of a lock that somebody else holds, and hands it to the one who waits longest. */
  release(key: string): void {
    this.#holders.delete(key)
    const next = this.#queue.find((one) => one.key === key)
    if (!next) return
    this.#queue = this.#queue.filter((one) => one !== next)
    this.takeLock(next.run, next.step, key)
  }

  #planOf(name: string): Plan {
    const plan = this.#plans.get(name)
    if (!plan) throw new RangeError(`There is no saga ${name}`)
    return plan
  }

  #make(name: string, id: string, parent: SagaRun['parent']): SagaRun {
    const run = this.newRun(this.#planOf(name), id, parent)
    this.runs.set(id, run)
    return run
  }

  #keep(given: TestEvent): CloudEvent {
    const event = complete(given, this.#events.length + 1)
    this.#events.push({ at: this.agenda.now, event })
    return event
  }

  /** The saga has ended. */
  leave(run: SagaRun): void {
    this.#queue = this.#queue.filter((one) => one.run !== run)
    for (const [key, holder] of [...this.#holders]) if (holder === run) this.release(key)
  }
}

const nameOf = ({ source, id }: CloudEvent): string => `${source} ${id}`
