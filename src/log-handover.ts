import { type Clock, type EventLog, type Health, type Lane, type Logger, messageOf } from '@splitstream/kernel'
import type { OpenLog } from './event-log.ts'
import type { LogTurns } from './log-turns.ts'

export interface HandoverOptions {
  readonly log: OpenLog
  readonly turns: LogTurns
  /** This process appends to the log. */
  readonly writes: boolean
  readonly clock: Clock
  readonly logger: Logger
}

const never = new Promise<never>(() => undefined)
/** How often a group asks whether it is its turn, ms. */
const askMs = 250
/** How long a stop waits for what is being appended, and for what is still to be taken when another log has followed, ms. */
const [settleMs, finishMs] = [10_000, 20_000]
const seenEveryMs = 3_600_000

/*
 * The part of this process in the turns of the logs (log-turns.ts).
 *
 *   entered → (a group is consumed: joined → waits for its turn → has begun) → finished → left
 *
 * It stands before the log: a lane of a group that waits is held, and its handler is not run. At the stop, between the end of
 * HTTP and that of the modules, `finish` lets the groups take what is left, if another log has followed; `leave` comes when
 * they have stopped.
 */
export class LogHandover implements OpenLog {
  readonly partitions: number
  readonly append: EventLog['append']
  readonly end: EventLog['end']
  readonly isSkipped: NonNullable<EventLog['isSkipped']>
  readonly #o: HandoverOptions
  /** By group; undefined once it has begun. */
  readonly #waiting = new Map<string, string | undefined>()
  /** Groups of which it is known whether it is their turn. */
  readonly #answered = new Set<string>()
  readonly #beginning = new Map<string, Promise<void>>()
  readonly #stop = new AbortController()
  #heartbeat: NodeJS.Timeout | undefined

  constructor(o: HandoverOptions) {
    this.#o = o
    this.partitions = o.log.partitions
    this.append = o.log.append
    this.end = o.log.end
    this.isSkipped = o.log.isSkipped ?? (() => false)
  }

  get pendingBytes(): number {
    return this.#o.log.pendingBytes
  }

  lags(): ReturnType<OpenLog['lags']> {
    return this.#o.log.lags()
  }

  get settled(): boolean {
    return this.#o.log.settled
  }

  get lost(): Promise<string> {
    return this.#o.log.lost ?? never
  }

  get full(): boolean {
    return this.#o.log.full ?? false
  }

  get turns(): LogTurns {
    return this.#o.turns
  }

  /** @throws AppError when Postgres is away */
  async enter(): Promise<void> {
    const { turns, writes, logger } = this.#o
    await turns.enter(writes)
    this.#heartbeat = setInterval(() => {
      turns.beSeen().catch((error: unknown) => logger.debug('not seen', { error: messageOf(error) }))
    }, seenEveryMs)
  }

  lag(group: string): Promise<number> {
    return this.#o.log.lag(group)
  }

  /** With lanes that wait for the turn of their group. */
  readonly consume: EventLog['consume'] = (group, handler) => {
    this.#waiting.set(group, 'it is not known yet whose turn it is')
    // At once, and not with the first lane: of more processes than partitions some have none.
    const beginning = this.#beginning.get(group) ?? this.#begin(group)
    this.#beginning.set(group, beginning)
    return this.#o.log.consume(group, async (lane) => {
      await this.#turnOf(beginning, lane)
      if (!lane.signal.aborted) await handler(lane)
    })
  }

  health(): Health {
    const health = this.#o.log.health()
    if (health.state !== 'ok') return health
    for (const [group, reason] of this.#waiting) {
      if (reason === undefined) continue
      // Until it is known, what the group has to look at before it is ready is not looked at.
      const state = this.#answered.has(group) ? 'degraded' : 'down'
      return { state, reason: `${group} waits with this log: ${reason}` }
    }
    return { state: 'ok' }
  }

  /** Nothing new comes in any more. */
  async finish(): Promise<void> {
    const { log, turns, writes, logger, clock } = this.#o
    try {
      if (writes && (await this.#until(settleMs, async () => log.settled))) await turns.endWriting()
      if (!(await turns.isFollowed())) return
      const groups = [...this.#waiting].flatMap(([group, reason]) => (reason === undefined ? [group] : []))
      if (groups.length === 0) return
      const from = clock.monotonic()
      const taken = await this.#until(finishMs, async () => {
        const lags = await Promise.all(groups.map((group) => log.lag(group)))
        return lags.every((lag) => lag === 0)
      })
      const ms = Math.round(clock.monotonic() - from)
      if (taken) logger.info('all that was in the log is taken; the next one follows', { groups, ms })
      else logger.warn('the log is left with something in it; start this process again to go on', { groups, ms })
    } catch (error) {
      logger.warn('this log could not be finished with', { error: messageOf(error) })
    }
  }

  /** Nothing is consumed any more. */
  async leave(): Promise<void> {
    const { log, turns, logger } = this.#o
    clearInterval(this.#heartbeat)
    this.#stop.abort()
    try {
      await turns.leave([...this.#waiting.keys()], async (group) => (await log.lag(group)) === 0)
    } catch (error) {
      logger.warn('this process stays noted as a user of its log', { error: messageOf(error) })
    }
  }

  /** Resolves when it is the turn of the lane's group, or the lane is over. */
  async #turnOf(beginning: Promise<void>, lane: Lane): Promise<void> {
    const over = Promise.withResolvers<void>()
    const end = (): void => over.resolve()
    lane.signal.addEventListener('abort', end, { once: true })
    if (lane.signal.aborted) end()
    await Promise.race([beginning, over.promise])
    lane.signal.removeEventListener('abort', end)
  }

  async #begin(group: string): Promise<void> {
    const { log, turns, logger, clock } = this.#o
    const { signal } = this.#stop
    for (let joined = false; !signal.aborted; await clock.sleep(askMs, signal).catch(() => undefined)) {
      try {
        if (!joined) await turns.join(group)
        joined = true
        const reason = await turns.begin(group, async () => (await log.lag(group)) > 0)
        this.#answered.add(group)
        this.#note(group, reason)
      } catch (error) {
        this.#note(group, messageOf(error))
      }
      if (this.#waiting.get(group) === undefined) return logger.debug('a group begins with this log', { group })
    }
  }

  #note(group: string, reason: string | undefined): void {
    if (reason === this.#waiting.get(group)) return
    this.#waiting.set(group, reason)
    if (reason !== undefined) this.#o.logger.info('a group waits with this log', { group, reason })
  }

  async #until(ms: number, isDone: () => Promise<boolean>): Promise<boolean> {
    const { clock } = this.#o
    for (const end = clock.monotonic() + ms; !(await isDone()); await clock.sleep(50)) {
      if (clock.monotonic() > end) return false
    }
    return true
  }
}
