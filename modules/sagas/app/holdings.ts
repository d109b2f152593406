import { type Clock, type Logger, messageOf, type Postgres } from '@splitstream/kernel'
import { acquireLock, callWaiters, type FreeLock, type LockKey, leaveLine } from '../adapters/locks.ts'
import { type Letter, sendMail, tellOwners } from '../adapters/mail.ts'
import { isKept } from '../adapters/sagas-table.ts'
import { earlyEvent, registerWait } from '../adapters/waits.ts'
import { grantLock, loseChild } from '../domain/deliver.ts'
import { eventsSince } from '../domain/event-time.ts'
import type { Json } from '../domain/json.ts'
import { deliverEvent, takenEvents } from '../domain/take-event.ts'
import type { Act } from '../domain/turn.ts'
import type { Instance } from './instance.ts'
import type { LockHint } from './lock-hint.ts'
import type { Message } from './message.ts'
import { eventKey, waitKey } from './wait-key.ts'

/** For how long Redis names a holder that does not say that it has let go, ms. Too long costs speed after a crash, nothing else. */
const hintMs = 10_000

/** As Redis knows a lock. */
const nameOf = ({ tenant, key }: LockKey): string => `${tenant}/${key}`

export interface HoldingsDeps {
  readonly postgres: Postgres
  readonly clock: Clock
  readonly logger: Logger
  readonly hint: LockHint
  /** Mail was sent to these sagas, which have an owner: perhaps this worker. */
  onMail(ids: readonly string[]): void
  /** A saga is due that has no owner. */
  onDue(id: string): void
}

/**
 * What sagas hold or ask for outside of their own row: locks, awaited events, messages to others. The intent is in the journal
 * before any of this is done, and all of it can be done again, so a worker that takes a saga over just does it again.
 */
export class Holdings {
  readonly #deps: HoldingsDeps

  constructor(deps: HoldingsDeps) {
    this.#deps = deps
  }

  /** Grants the lock to the step, or has the saga stand in line until a message says that it is free. */
  takeLock(saga: Instance, step: string, key: string): void {
    void this.persist(saga, async () => {
      const { postgres, hint } = this.#deps
      const lock = { tenant: saga.tenant, key }
      const answer = await hint.acquire(nameOf(lock), saga.id, hintMs)
      const fence = await acquireLock(postgres, lock, saga, step, answer === 'held')
      // Redis was wrong: it is to name who holds the lock.
      if (fence === undefined && answer !== 'held') void hint.release(nameOf(lock), saga.id)
      saga.push((turn) => {
        if (fence !== undefined) grantLock(turn, step, fence)
      })
    })
  }

  /** Nobody holds these any more. `late`: what those who wait for them are still to be sent. */
  letGo(locks: readonly FreeLock[], late: readonly Letter[]): void {
    const { hint, logger } = this.#deps
    for (const lock of locks) void hint.release(nameOf(lock), lock.sagaId)
    if (late.length === 0) return
    this.#send(late).catch((error: unknown) => {
      logger.warn('sagas could not be told that a lock is free; they are in a few seconds', { error: messageOf(error) })
    })
  }

  /** Hands a lock on that the step was offered and does not want. */
  leaveLine(saga: Instance, step: string): void {
    void this.persist(saga, async () => {
      await leaveLine(this.#deps.postgres, saga.id, step)
      this.#tell(await callWaiters(this.#deps.postgres))
    })
  }

  /** Has events looked at for the step, those that came before among them. */
  awaitEvent(saga: Instance, { step, type, match }: Extract<Act, { kind: 'await' }>): void {
    void this.persist(saga, async () => {
      const key = waitKey(type, match)
      const { tenant, id, fence, state } = saga
      const not = state.origin.event
      await registerWait(this.#deps.postgres, { tenant, key, sagaId: id, step, not }, fence)
      // One that came just before is in one of the two places: whoever looks second sees what the other wrote first.
      const since = eventsSince(state)
      const taken = takenEvents(state).map(([source, event]) => eventKey(source, event))
      const event = await earlyEvent(this.#deps.postgres, { tenant, key, since, not, taken })
      saga.push((turn) => {
        if (event !== undefined) deliverEvent(turn, step, event as Json)
      })
    })
  }

  /** Tells a child to undo what it did, also one that is not there yet. */
  undoChild(saga: Instance, step: string, childId: string): void {
    void this.persist(saga, async () => {
      const { tenant, state } = saga
      if (state.steps.get(step)?.status === 'done' && !(await isKept(this.#deps.postgres, tenant, childId))) {
        return saga.push((turn) => loseChild(turn, step))
      }
      await this.deliver([{ tenant, to: childId, message: { kind: 'undo' } }])
    })
  }

  /** Sends messages, in one transaction. @throws AppError UNAVAILABLE */
  async deliver(
    letters: readonly { readonly tenant: string; readonly to: string; readonly message: Message }[],
  ): Promise<void> {
    await this.#send(letters.map(({ tenant, to, message }) => ({ tenant, to, body: JSON.stringify(message) })))
  }

  async #send(letters: readonly Letter[]): Promise<void> {
    const owned = await this.#deps.postgres.tx((tx) => sendMail(tx, letters))
    this.#tell(owned)
    // Nobody owns these, so they are due: here, or, if there is no room, wherever there is some.
    const due = letters.find(({ to }) => !owned.includes(to))
    if (due) this.#deps.onDue(due.to)
  }

  #tell(owned: readonly string[]): void {
    const { postgres, onMail } = this.#deps
    onMail(owned)
    tellOwners(postgres, owned).catch(() => undefined)
  }

  /** Tries until it is done or the saga is somebody else's. */
  async persist(saga: Instance, work: () => Promise<void>): Promise<void> {
    saga.pending++
    for (let pause = 50; !saga.gone; pause = Math.min(pause * 2, 2_000)) {
      try {
        await work()
        break
      } catch (error) {
        this.#deps.logger.warn('a saga cannot get what it asks for; trying again', { error: messageOf(error) })
        await this.#deps.clock.sleep(pause)
      }
    }
    saga.pending--
    saga.push()
  }
}
