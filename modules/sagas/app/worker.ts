import {
  AppError,
  type Clock,
  codeOf,
  type Logger,
  messageOf,
  PlacedMap,
  type Postgres,
  type Random,
  type Tracer,
  traceIdOf,
  uuidv7,
} from '@splitstream/kernel'
import { callWaiters } from '../adapters/locks.ts'
import { mailChannel, readMail, sagasWithMail, tellOwners } from '../adapters/mail.ts'
import {
  type Claimed,
  claimDue,
  freeStrays,
  giveBack,
  nextDueIn,
  ownedBy,
  rewriteJournal,
} from '../adapters/sagas-table.ts'
import { endExpired, freeOrphans } from '../adapters/workers.ts'
import { repeatActs } from '../domain/begin.ts'
import { compactJournal } from '../domain/compact.ts'
import { decodeEntries } from '../domain/entry.ts'
import { loseCalls } from '../domain/settle.ts'
import { foldEntries } from '../domain/state.ts'
import type { Act, Chance, Turn } from '../domain/turn.ts'
import type { Engine } from './engine.ts'
import { GroupCommit, type GroupCommitDeps } from './group-commit.ts'
import { Holdings } from './holdings.ts'
import { Instance } from './instance.ts'
import { Lease, type Term } from './lease.ts'
import type { LockHint } from './lock-hint.ts'
import { newSaga, type SagaRequest } from './new-saga.ts'
import type { Participants } from './participants.ts'
import type { Plans } from './plans.ts'
import { startChild } from './start-child.ts'
import type { Committed, Transition } from './transition.ts'
import { UnderWay } from './under-way.ts'

/** The worker looks for what it was not told of at least this often, ms. */
const lookMs = 1_000
/** And not more often than this for what others are about to claim, ms. */
const minLookMs = 20
/** Sagas claimed at once; after an outage thousands may be due. */
const maxClaim = 200
/** How long a worker that stops waits for answers, ms. */
const drainMs = 8_000
/** A worker that has no room tells others of what is due, not more often than this, ms. */
const tellMs = 50
/** How long an abandoned saga rests, ms. */
const restMs = 60_000
/** The part of its capacity above which a worker is crowded. */
const crowdedFrom = 0.9

export interface WorkerDeps {
  readonly postgres: Postgres
  /** For commits (SagasDeps.commits). */
  readonly commits: Postgres
  readonly participants: Participants
  readonly hint: LockHint
  readonly plans: Plans
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly tracer: Tracer
  /** For operators: the host and process. */
  readonly name: string
  /** Sagas in memory at most. */
  readonly capacity: number
  /** A turn of a saga was committed here. */
  onTurn(saga: Instance, turn: Turn): void
}

/**
 * Runs sagas: those that are started here, and those that are due and have no owner. Any worker can run any saga; which one
 * does is decided by the lease and the fencing number in the saga's row. What a worker is told (by a start, by a
 * notification, by its own timers) it does at once; once a second it looks for what it was not told of.
 */
export class SagaWorker implements Engine {
  readonly participants: Participants
  readonly holdings: Holdings
  readonly chance: Chance
  readonly tracer: Tracer
  readonly #deps: WorkerDeps
  readonly #lease: Lease
  readonly #group: GroupCommit
  readonly #instances = new PlacedMap<Instance>()
  #stopped = false
  #looking: Promise<void> | undefined
  #again = false
  /** Sagas that are due were left to others for want of room. */
  #full = false
  #timer: NodeJS.Timeout | undefined
  #lastLocks = 0
  #lastOrphans = 0
  #lastStrays = 0
  #lastTold = 0
  #ears: { stop(): Promise<void> } | undefined
  #failing: string | undefined
  readonly #lookUnderWay: UnderWay

  constructor(deps: WorkerDeps) {
    this.#deps = deps
    this.#lookUnderWay = new UnderWay('looking for sagas', deps.clock)
    const { postgres, clock, logger, name } = deps
    this.participants = deps.participants
    this.tracer = deps.tracer
    this.chance = { fraction: () => deps.random.fraction(), id: () => uuidv7(deps.random, this.now()) }
    this.#lease = new Lease({ postgres, clock, logger, name, onTerm: (term) => this.#begun(term) })
    const onMail = (ids: readonly string[]) => this.#heard(ids)
    const owner = () => this.#lease.current()?.worker
    const onFree: GroupCommitDeps['onFree'] = (locks, late) => this.holdings.letGo(locks, late)
    this.#group = new GroupCommit({ postgres: deps.commits, clock, logger, owner, onMail, onFree })
    const onDue = (id: string) => this.due(id)
    this.holdings = new Holdings({ postgres, clock, logger, hint: deps.hint, onMail, onDue })
  }

  /** Sagas in memory. */
  get held(): number {
    return this.#instances.size
  }

  /** In memory, so that its turns are told (onTurn). */
  runs(id: string): boolean {
    return this.#instances.has(id)
  }

  /** Why the worker does nothing at the moment, if that is so. */
  get failing(): string | undefined {
    return this.#lease.current() ? (this.#failing ?? this.#lookUnderWay.late) : 'it has no lease'
  }

  async start(): Promise<void> {
    await this.#lease.start()
    this.#ears = this.#deps.postgres.listen(mailChannel, (id) => this.#heard([id]))
    this.look()
  }

  get stopping(): boolean {
    return this.#stopped
  }

  get crowded(): boolean {
    return this.#instances.size > this.#deps.capacity * crowdedFrom
  }

  /**
   * Waits a while for the calls that are on their way, cuts the rest, and gives all sagas free: others, or the next start, go
   * on with them.
   */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#ears?.stop()
    await this.#looking
    for (const saga of this.#instances.values()) saga.push()
    const until = this.#deps.clock.monotonic() + drainMs
    while (this.#instances.size > 0 && this.#deps.clock.monotonic() < until) await this.#deps.clock.sleep(20)
    await this.#lease.stop()
  }

  now(): number {
    return this.#lease.now()
  }

  monotonic(): number {
    return this.#deps.clock.monotonic()
  }

  holds(signal: AbortSignal): boolean {
    return this.#lease.current()?.signal === signal
  }

  /**
   * Makes a saga, durable when this resolves, and runs it here; when the worker has its hands full, whoever is free first.
   * @throws AppError OVERLOADED or UNAVAILABLE: nothing is known to be made, and the same request can be sent again
   */
  async begin(request: SagaRequest): Promise<Committed & { readonly id: string }> {
    const term = this.#term()
    if (request.id && this.#instances.has(request.id)) return { kind: 'exists', sagaId: request.id, id: request.id }
    const held = this.#instances.size < this.#deps.capacity && !this.#stopped
    const id = request.id ?? this.chance.id()
    const saga = newSaga(this, term, id, request, this.now())
    if (held) this.#instances.set(id, saga.instance)
    const committed = await saga.instance.begin(saga.start, held, saga.first)
    if (committed.kind === 'kept' && !held) this.due(id)
    return { ...committed, id: committed.kind === 'exists' ? committed.sagaId : id }
  }

  commit(transition: Transition): Promise<Committed> {
    return this.#group.commit(transition)
  }

  observe(saga: Instance, turn: Turn): void {
    this.#deps.onTurn(saga, turn)
  }

  readMail(ids: readonly string[]): void {
    this.#read(ids).catch((error: unknown) => {
      this.#deps.logger.warn('mail of sagas cannot be read; trying again', { error: messageOf(error) })
    })
  }

  due(id: string): void {
    this.look()
    const { postgres, clock, capacity } = this.#deps
    const now = clock.monotonic()
    if (this.#instances.size < capacity || now - this.#lastTold < tellMs) return
    this.#lastTold = now
    // Others would look within a second.
    tellOwners(postgres, [id]).catch(() => undefined)
  }

  startChild(saga: Instance, child: Extract<Act, { kind: 'child' }>): void {
    const { holdings } = this
    startChild({ plans: this.#deps.plans, holdings, begin: (request) => this.begin(request) }, saga, child)
  }

  forget(saga: Instance): void {
    if (this.#instances.get(saga.id) === saga) this.#instances.delete(saga.id)
    if (!this.#full || this.crowded) return
    this.#full = false
    this.look()
  }

  abandon(saga: Instance, error: unknown): void {
    this.#deps.logger.error('a saga went wrong; it is tried again later', {
      saga: saga.id,
      tenant: saga.tenant,
      traceId: traceIdOf(saga.state.origin.trace),
      code: codeOf(error),
      error: messageOf(error),
    })
    saga.leave()
    giveBack(this.#deps.postgres, saga, restMs, problemOf(error)).catch((failure: unknown) => {
      this.#deps.logger.warn('a saga cannot be given free', { saga: saga.id, error: messageOf(failure) })
    })
  }

  /** Looks for work now; again when the next is known to be due, and once a second in any case. */
  look(): void {
    if (this.#stopped) return
    if (this.#looking) {
      this.#again = true
      return
    }
    clearTimeout(this.#timer)
    this.#again = false
    this.#looking = this.#lookUnderWay
      .run(() => this.#look())
      .then(
        (next) => {
          this.#failing = undefined
          return next
        },
        (error: unknown) => {
          this.#failing = messageOf(error)
          this.#deps.logger.warn('looking for sagas failed', { error: this.#failing })
          return lookMs
        },
      )
      .then((next) => {
        this.#looking = undefined
        if (this.#stopped) return
        if (this.#again) return this.look()
        this.#timer = setTimeout(() => this.look(), next)
      })
  }

  /** @returns ms until the next look */
  async #look(): Promise<number> {
    const { postgres, logger, clock, capacity } = this.#deps
    const term = this.#lease.current()
    if (!term) return lookMs
    const dead = await endExpired(postgres)
    if (dead > 0 || clock.monotonic() - this.#lastOrphans >= lookMs) {
      this.#lastOrphans = clock.monotonic()
      const freed = await freeOrphans(postgres)
      if (freed > 0) logger.warn('a worker is gone; its sagas go on', { sagas: freed })
    }
    if (clock.monotonic() - this.#lastStrays >= 5 * lookMs) {
      this.#lastStrays = clock.monotonic()
      await this.#freeStrays(term)
    }
    const room = Math.min(maxClaim, capacity - this.#instances.size)
    this.#full = room <= 0
    const claimed = room > 0 ? await claimDue(postgres, term.worker, room) : []
    if (claimed.length > 0) await this.#adopt(term, claimed)
    await this.#read(await sagasWithMail(postgres, term.worker))
    if (clock.monotonic() - this.#lastLocks > 5 * lookMs) {
      this.#lastLocks = clock.monotonic()
      this.#heard(await callWaiters(postgres))
    }
    if (this.#full) return lookMs
    if (claimed.length === maxClaim) return 0
    const due = await nextDueIn(postgres)
    return due === undefined ? lookMs : Math.max(minLookMs, Math.min(lookMs, due))
  }

  /**
   * Sagas that are this worker's and that it does not run: the answer to a takeover, or to a commit that gave them free, was
   * lost with its connection.
   */
  async #freeStrays({ worker }: Term): Promise<void> {
    const { postgres, logger } = this.#deps
    const owned = await ownedBy(postgres, worker)
    // A saga is in memory before it is made, and until it is given free.
    const strays = owned.filter(({ id }) => !this.#instances.has(id))
    if (strays.length === 0) return
    logger.warn('sagas of this worker were not in its memory; they go on', { sagas: strays.length })
    await freeStrays(postgres, worker, strays)
  }

  /** A new lease: whatever was held under the one before is somebody else's, or will be claimed again. */
  #begun(term: Term): void {
    term.signal.addEventListener('abort', () => {
      for (const saga of this.#instances.values()) if (saga.signal === term.signal) saga.leave()
    })
    this.look()
  }

  async #adopt(term: Term, claimed: readonly Claimed[]): Promise<void> {
    const withMail = claimed.filter(({ mail }) => mail > 0)
    const mail = withMail.length > 0 ? await readMail(this.#deps.postgres, withMail) : []
    const mailOf = new Map(mail.map((box) => [box.sagaId, box]))
    for (const row of claimed) {
      try {
        const plan = await this.#deps.plans.of(row.tenant, row.name, row.version)
        const short = compactJournal(row.journal)
        if (short !== undefined) await rewriteJournal(this.#deps.postgres, row, short)
        const state = foldEntries(decodeEntries(short ?? row.journal))
        // The lease may be lost by now: then the rest is for others.
        if (!this.holds(term.signal)) return
        const { id, tenant, fence, seq } = row
        const saga = new Instance(this, { id, tenant, plan, state, fence, signal: term.signal, seq, mailSeen: 0 })
        this.#instances.set(id, saga)
        saga.resume(mailOf.get(id), (turn) => {
          loseCalls(turn)
          repeatActs(turn)
        })
      } catch (error) {
        this.#deps.logger.error('a saga cannot be taken over', { saga: row.id, error: messageOf(error) })
        await giveBack(this.#deps.postgres, row, restMs, problemOf(error))
      }
    }
  }

  async #read(ids: readonly string[]): Promise<void> {
    const mine = ids.flatMap((id) => this.#instances.get(id) ?? [])
    if (mine.length === 0) return
    for (const { sagaId, seen, letters } of await readMail(this.#deps.postgres, mine)) {
      this.#instances.get(sagaId)?.deliver(seen, letters)
    }
  }

  #heard(ids: readonly string[]): void {
    const mine = ids.filter((id) => this.#instances.has(id))
    if (mine.length > 0) this.readMail(mine)
    // Those without an owner are due now.
    if (mine.length < ids.length || ids.length === 0) this.look()
  }

  #term(): Term {
    const term = this.#lease.current()
    if (!term) {
      throw new AppError('UNAVAILABLE', 'Sagas cannot be run at the moment: Postgres does not answer', {
        retryAfterMs: 1_000,
      })
    }
    return term
  }
}

/** For lists: why it does not go on. What it is, the log says. */
const problemOf = (error: unknown): string =>
  `saga: ${codeOf(error)}: the engine failed at it and tries again every minute`
