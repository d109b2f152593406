import { inSpan } from '@splitstream/kernel'
import type { Mailbox } from '../adapters/mail.ts'
import { advance } from '../domain/advance.ts'
import type { Plan } from '../domain/plan.ts'
import type { SagaState } from '../domain/state.ts'
import { Turn } from '../domain/turn.ts'
import type { Engine } from './engine.ts'
import { type Message, takeIn } from './message.ts'
import { perform } from './perform.ts'
import { turnSpan } from './saga-spans.ts'
import { transitionOf } from './to-transition.ts'
import type { Committed, Start, Transition } from './transition.ts'

/** A timer of Node cannot be longer, ms. */
const longestTimer = 2 ** 31 - 1

export interface Identity {
  readonly id: string
  readonly tenant: string
  readonly plan: Plan
  readonly state: SagaState
  readonly fence: string
  /** The lease under which it is held. */
  readonly signal: AbortSignal
  readonly seq: number
  readonly mailSeen: number
}

/**
 * One saga while this worker owns it. It goes on in turns, one at a time: what has happened since the last turn (answers,
 * messages, a timer) is taken in, the turn is committed, then what it asks for is done. It leaves the worker's memory when it
 * has ended, when there is nothing to do for long, or when the lease is lost; then it is never touched again.
 */
export class Instance {
  readonly engine: Engine
  readonly id: string
  readonly tenant: string
  readonly plan: Plan
  readonly state: SagaState
  readonly fence: string
  readonly signal: AbortSignal
  /** Requests for locks, events and the like that are on their way: until they are done the saga is not given free. */
  pending = 0
  /** Characters that this worker has added to the journal. */
  written = 0
  #seq: number
  #mailSeen: number
  #mailTaken: string[] = []
  readonly #known = new Set<string>()
  /** What lists say that keeps it from going on; undefined before the first commit of this worker. */
  #problem: string | null | undefined
  #work: ((turn: Turn) => void)[] = []
  #running = false
  #gone = false
  /** The saga's time as it was last looked at, and the process's then. */
  #time: { readonly t: number; readonly at: number }
  #timer: NodeJS.Timeout | undefined

  constructor(engine: Engine, identity: Identity) {
    this.engine = engine
    this.id = identity.id
    this.tenant = identity.tenant
    this.plan = identity.plan
    this.state = identity.state
    this.fence = identity.fence
    this.signal = identity.signal
    this.#seq = identity.seq
    this.#mailSeen = identity.mailSeen
    this.#time = { t: this.state.last, at: this.engine.monotonic() }
  }

  /**
   * The saga's time: ms since its start, by the database's clock. When that one goes back, by the process's, so that here it
   * never runs slower: nothing waits for longer, and the window of no key grows.
   */
  now(): number {
    const { engine, state } = this
    const at = engine.monotonic()
    const t = Math.max(engine.now() - state.at, this.#time.t + at - this.#time.at)
    this.#time = { t, at }
    return Math.round(t)
  }

  /** Ended, given free or lost: nothing that happens now is this worker's business. */
  get gone(): boolean {
    return this.#gone || !this.engine.holds(this.signal)
  }

  /** Something has happened; the next turn takes it in. Without work the turn only looks where the saga stands. */
  push(work: (turn: Turn) => void = () => undefined): void {
    if (this.gone) return
    this.#work.push(work)
    if (!this.#running) void this.#run()
  }

  /**
   * Messages as they were read: each is taken in once. All in one turn, as a turn may give the saga free, and says of every
   * message that was seen that nobody has to look for it.
   */
  deliver(seen: number, letters: readonly { readonly id: string; readonly body: string }[]): void {
    this.#mailSeen = Math.max(this.#mailSeen, seen)
    const fresh = letters.filter(({ id }) => !this.#known.has(id))
    if (fresh.length === 0) return
    for (const { id } of fresh) this.#known.add(id)
    this.push((turn) => {
      for (const { id, body } of fresh) {
        this.#mailTaken.push(id)
        takeIn(turn, JSON.parse(body) as Message)
      }
    })
  }

  /** The first turn of a saga that was taken over: with its mail, and what its last owner left undone. */
  resume(mail: Mailbox | undefined, first: (turn: Turn) => void): void {
    this.#running = true
    if (mail) this.deliver(mail.seen, mail.letters)
    this.push(first)
    void this.#run()
  }

  /** The first turn, which makes the saga. */
  async begin(
    start: Pick<Start, 'name' | 'version' | 'key' | 'alias' | 'event'>,
    held: boolean,
    first: (turn: Turn) => void,
  ): Promise<Committed> {
    this.#running = true
    const turn = this.#turn()
    first(turn)
    if (held) advance(turn)
    const wish = transitionOf(this, turn, this.#seq, 0, [])
    const transition = held ? wish : { ...wish, release: { dueAt: this.state.at } }
    const committed = await this.#keep(turn, { ...transition, ...start }).catch((error: unknown) => {
      this.leave()
      throw error
    })
    if (committed.kind !== 'kept' || transition.release) this.leave()
    this.#after(turn, transition.lines, committed)
    this.#running = false
    if (this.#work.length > 0) void this.#run()
    return committed
  }

  async #run(): Promise<void> {
    this.#running = true
    clearTimeout(this.#timer)
    try {
      while (this.#work.length > 0 && !this.gone) {
        const turn = this.#turn()
        for (const work of this.#work.splice(0)) work(turn)
        // A worker that stops takes in what comes, and begins nothing.
        if (!this.engine.stopping) advance(turn)
        await this.#commit(turn)
      }
    } catch (error) {
      this.engine.abandon(this, error)
    }
    this.#running = false
  }

  async #commit(turn: Turn): Promise<void> {
    const taken = this.#mailTaken.splice(0)
    const transition = transitionOf(this, turn, this.#seq, this.#mailSeen, taken)
    const isNews = this.#problem !== undefined && this.#problem !== transition.problem
    const written = transition.lines !== '' || taken.length > 0 || isNews
    if (!written && !transition.release) {
      perform(this, turn.acts)
      return this.#sleep(turn)
    }
    const committed = await this.#keep(turn, transition)
    if (committed.kind !== 'kept' || transition.release) this.leave()
    this.#after(turn, transition.lines, committed)
  }

  async #keep(turn: Turn, transition: Transition): Promise<Committed> {
    this.#problem = transition.problem
    const span = turnSpan(this, turn)
    if (!span) return await this.engine.commit(transition)
    return await inSpan(span, async () => {
      const committed = await this.engine.commit({ ...transition, traceparent: span.traceparent })
      if (committed.kind !== 'kept') span.set('splitstream.saga.commit', committed.kind)
      return committed
    })
  }

  #after(turn: Turn, lines: string, committed: Committed): void {
    if (committed.kind !== 'kept') return
    this.#seq++
    this.written += lines.length
    this.engine.observe(this, turn)
    perform(this, turn.acts)
    const hasMail = committed.mail > this.#mailSeen
    if (this.gone) {
      // It came while the saga was given free, so it is due: nobody else was told.
      if (hasMail) this.engine.due(this.id)
      return
    }
    if (hasMail) this.engine.readMail([this.id])
    this.#sleep(turn)
  }

  #sleep({ wakeAt, t }: Turn): void {
    if (wakeAt === undefined || this.gone) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.push(), Math.min(longestTimer, Math.max(0, wakeAt - t)))
  }

  #turn(): Turn {
    return new Turn(this.id, this.plan, this.state, this.now(), this.engine.chance)
  }

  /** The saga is not this worker's any more. */
  leave(): void {
    this.#gone = true
    clearTimeout(this.#timer)
    this.engine.forget(this)
  }
}
