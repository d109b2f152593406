import { type Order, obey } from '../../domain/act.ts'
import { advance } from '../../domain/advance.ts'
import { repeatActs } from '../../domain/begin.ts'
import { compactEntries } from '../../domain/compact.ts'
import { endChild, grantLock, undoChild } from '../../domain/deliver.ts'
import { decodeEntries, type Entry, encodeEntries, type Origin } from '../../domain/entry.ts'
import { ExpressionError } from '../../domain/expression.ts'
import type { Json } from '../../domain/json.ts'
import type { Outcome } from '../../domain/outcome.ts'
import type { Plan } from '../../domain/plan.ts'
import { resultOf } from '../../domain/scope.ts'
import { failCall, loseCalls, postpone, settleCall, settleUndo } from '../../domain/settle.ts'
import { foldEntries, type Problem, type SagaState } from '../../domain/state.ts'
import { deliverEvent } from '../../domain/take-event.ts'
import { type Act, Turn } from '../../domain/turn.ts'
import type { CloudEvent } from './events.ts'
import { endingOf } from './reply.ts'
import { requestOf, type TestRequest } from './request.ts'
import type { World } from './world.ts'

type CallAct = Extract<Act, { kind: 'call' }>

/** A request that was sent. `outcome` is absent while nothing is known of its end. */
export interface Sent extends TestRequest {
  outcome?: Outcome
  effect: boolean
}

/**
 * One saga of a simulation, run as the engine runs it: turn by turn, what a turn decides is committed to the journal, and then
 * its acts are done. Only the clock, the database and the participants are not real.
 */
export class SagaRun {
  readonly world: World
  readonly plan: Plan
  readonly id: string
  readonly parent: { readonly run: SagaRun; readonly step: string } | undefined
  readonly sent: Sent[] = []
  state: SagaState = foldEntries([])
  /** As it is kept: what a worker that takes the saga over has. */
  journal = ''
  /** Changes of the owner. */
  #owner = 0
  /** Drop what the present owner has planned. */
  readonly #planned = new Set<() => void>()
  #wake: (() => void) | undefined
  #orders = 0

  constructor(
    world: World,
    plan: Plan,
    id: string,
    parent: { readonly run: SagaRun; readonly step: string } | undefined,
  ) {
    this.world = world
    this.plan = plan
    this.id = id
    this.parent = parent
  }

  get ended(): boolean {
    return this.state.status === 'completed' || this.state.status === 'compensated'
  }

  /** ms since the start. */
  get t(): number {
    return this.world.agenda.now - this.state.at
  }

  get entries(): Entry[] {
    return decodeEntries(this.journal)
  }

  /** `halt`: why it cannot go on from the start. */
  begin(input: Json, from?: Origin, halt?: Problem): void {
    const at = this.world.agenda.now
    this.state.at = at
    this.turn((turn) => {
      turn.add({ e: 'start', t: 0, at, in: input, ...(from && { from }) })
      if (halt) turn.add({ e: 'halt', t: 0, c: halt.code, d: halt.detail })
    })
  }

  /** One turn. */
  turn(work: (turn: Turn) => void): void {
    const turn = new Turn(this.id, this.plan, this.state, this.t, this.world.chance)
    const before = this.state.status
    work(turn)
    this.go(turn)
    this.commit(turn)
    if (this.ended && this.state.status !== before) this.#end()
    for (const act of turn.acts) this.#perform(act)
    this.#sleep(turn)
  }

  protected go(turn: Turn): void {
    advance(turn)
  }

  protected commit(turn: Turn): void {
    this.journal = encodeEntries(turn.entries) + this.journal
  }

  protected lose(turn: Turn): void {
    loseCalls(turn)
  }

  /** The worker is gone, with all that it knew and had not done yet. Another one takes the saga over. */
  crash(): void {
    this.#owner++
    for (const drop of this.#planned) drop()
    this.#planned.clear()
    this.state = foldEntries(decodeEntries(this.journal))
    this.turn((turn) => {
      this.lose(turn)
      repeatActs(turn)
    })
  }

  compact(): void {
    this.journal = encodeEntries(compactEntries(this.entries))
    this.state = foldEntries(this.entries)
  }

  deliver(step: string, event: CloudEvent): void {
    this.#soon(() => this.turn((turn) => deliverEvent(turn, step, event)))
  }

  grant(step: string, fence: string): void {
    this.#soon(() => this.turn((turn) => grantLock(turn, step, fence)))
  }

  /** The parent is being undone. */
  undo(): void {
    this.#soon(() => this.turn(undoChild))
  }

  /** @returns why the order was refused; undefined when it was carried out */
  order(order: Omit<Order, 'id' | 'who'>): string | undefined {
    const id = `order-${++this.#orders}`
    let no: string | undefined
    this.turn((turn) => {
      obey(turn, { id, who: 'tester', ...order })
      for (const entry of turn.entries) if (entry.e === 'by' && entry.m === id) no = entry.no
    })
    return no
  }

  /** Not in the same moment: between a commit and what follows from it the worker may go down. */
  #soon(what: () => void | Promise<void>, afterMs = 0): void {
    this.world.agenda.plan(this.world.agenda.now + afterMs, what)
  }

  /** As #soon, and dropped when the saga gets another owner. @returns what drops it before */
  #mine(what: () => void | Promise<void>, afterMs = 0): () => void {
    const plan = this.world.agenda.plan(this.world.agenda.now + afterMs, () => {
      this.#planned.delete(plan)
      return what()
    })
    this.#planned.add(plan)
    return plan
  }

  #sleep({ wakeAt, t }: Turn): void {
    this.#wake?.()
    this.#wake = wakeAt === undefined ? undefined : this.#mine(() => this.turn(() => undefined), wakeAt - t)
  }

  #perform(act: Act): void {
    const { world } = this
    switch (act.kind) {
      case 'call':
        return void this.#mine(() => this.send(act))
      case 'emit': {
        const { type, source, subject, data } = act.event
        const event = { type, source, id: `${this.id}.${act.step}`, ...(subject !== undefined && { subject }) }
        world.emitted.push({ ...event, ...(data !== undefined && { data }) })
        return this.#soon(() => world.publish({ ...event, ...(data !== undefined && { data }) }))
      }
      case 'await':
        return void this.#mine(() => world.awaitEvent(this, act.step, act.type, act.match))
      case 'lock':
        return void this.#mine(() => world.takeLock(this, act.step, act.key))
      case 'child':
        return void this.#mine(() => void world.start(act.saga, act.childId, act.input, { run: this, step: act.step }))
      case 'undo-child':
        return void this.#mine(() => world.undo(act.childId))
      case 'tell-parent':
        return this.#tellParent()
    }
  }

  /** The request leaves, and later its end comes to whoever owns the saga then: nobody, if that is another worker. */
  protected async send(act: CallAct): Promise<void> {
    const { step, undo, look } = act
    let built: ReturnType<typeof requestOf>
    try {
      built = requestOf(this, act, this.t)
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
      return this.turn((turn) => failCall(turn, step, undo, error.message))
    }
    const owner = this.#owner
    const { participant, timeoutMs, request } = built
    const sent: Sent = { ...request, effect: false }
    this.sent.push(sent)
    const { outcome, afterMs, effect } = endingOf(await this.world.participants[participant]!(request), timeoutMs)
    sent.effect = effect && !look
    if (owner !== this.#owner) return
    this.#mine(() => {
      sent.outcome = outcome
      this.turn((turn) => {
        if (outcome.kind === 'postponed') postpone(turn, step, undo, outcome.afterMs, outcome.why)
        else if (undo) settleUndo(turn, step, look, outcome)
        else settleCall(turn, step, look, outcome)
      })
    }, afterMs)
  }

  #end(): void {
    this.world.leave(this)
    this.#tellParent()
  }

  #tellParent(): void {
    if (!this.parent) return
    const { run, step } = this.parent
    const { status } = this.state
    const output = status === 'completed' ? resultOf(this.plan, this.state) : null
    this.#soon(() => run.turn((turn) => endChild(turn, step, this.id, status, output)))
  }
}
