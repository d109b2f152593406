import { setImmediate as endOfPoll } from 'node:timers/promises'
import { AppError, type Clock, codeOf, type Logger, messageOf, type Postgres } from '@splitstream/kernel'
import type { FreeLock } from '../adapters/locks.ts'
import { type Letter, tellOwners } from '../adapters/mail.ts'
import { CurrentPartition } from '../adapters/partitions.ts'
import { lockSagas, settleDoubt, startedBy } from '../adapters/sagas-table.ts'
import { hasSideEffects, noSideEffects, writeSideEffects } from '../adapters/side-effects.ts'
import { writeTransitions } from '../adapters/write-transitions.ts'
import { type Committed, isStart, type Transition } from './transition.ts'

/** Transitions in one commit at most. */
const maxGroup = 256

export interface GroupCommitDeps {
  /** With plans by key (SagasDeps.commits). */
  readonly postgres: Postgres
  readonly clock: Clock
  readonly logger: Logger
  /** The worker's id while its lease holds; undefined after that. */
  owner(): number | undefined
  /** Sagas of this process that were sent mail in a commit. */
  onMail(ids: readonly string[]): void
  /** Locks that ended sagas held, and nobody holds now; and what is still to be sent to those who wait for them. */
  onFree(locks: readonly FreeLock[], late: readonly Letter[]): void
}

interface Waiting {
  readonly transition: Transition
  /** The worker in whose name it is to be written; undefined when there was no lease. */
  readonly owner: number | undefined
  again?: boolean
  resolve(committed: Committed): void
  reject(error: unknown): void
}

/**
 * Commits the transitions of many sagas together: while one commit is under way the next group gathers, so that the cost of
 * a round trip and a sync is shared by all that wait for it (group commit; Gray and Reuter, 1992).
 *
 * A commit that fails is in doubt: it may have been written. What was, is found out by the saga's count of transitions, and
 * only the rest is written again. So a transition is written once, or refused because the saga has another owner.
 */
export class GroupCommit {
  readonly #deps: GroupCommitDeps
  readonly #partition: CurrentPartition
  #waiting: Waiting[] = []
  #running: Promise<void> | undefined

  constructor(deps: GroupCommitDeps) {
    this.#deps = deps
    this.#partition = new CurrentPartition(deps.postgres, () => deps.clock.now())
  }

  /** Resolves when the transition is durable, or refused. @throws AppError when Postgres refuses what it says for good */
  commit(transition: Transition): Promise<Committed> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ transition, owner: this.#deps.owner(), resolve, reject })
      this.#running ??= this.#run()
    })
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      // What has arrived by now, and is not read yet, shares the commit: a group gets larger, and does not wait for anything.
      await endOfPoll()
      await this.#write(this.#next())
    }
    this.#running = undefined
  }

  /**
   * Each saga is in a group once: what comes back says which sagas were written, and must not say it of another's transition.
   * A parent that was taken over starts its child once more, while the child, which is there, goes on beside it.
   */
  #next(): Waiting[] {
    const sagas = new Set<string>()
    const end = this.#waiting.findIndex(
      ({ transition: { id } }, i) => i === maxGroup || sagas.size === sagas.add(id).size,
    )
    return this.#waiting.splice(0, end < 0 ? maxGroup : end)
  }

  /** Writes a group; ends when each of it is settled. */
  async #write(group: Waiting[]): Promise<void> {
    let rest = group
    for (let pause = 50; rest.length > 0; pause = Math.min(pause * 2, 2_000)) {
      const owner = this.#deps.owner()
      // With the lease the sagas are lost, also when there is a new one: nobody here would go on with what is written late.
      const { ours = [], lost = [] } = Object.groupBy(rest, (one) =>
        owner !== undefined && one.owner === owner ? 'ours' : 'lost',
      )
      settleAll(lost, { kind: 'lost' })
      rest = ours
      if (owner === undefined || rest.length === 0) return
      try {
        return await this.#settle(rest, await this.#attempt(owner, rest))
      } catch (error) {
        if (isFinal(error)) return await this.#isolate(rest, error)
        this.#deps.logger.warn('sagas cannot be committed; trying again', {
          error: messageOf(error),
          sagas: rest.length,
        })
      }
      await this.#deps.clock.sleep(pause)
      rest = await this.#undecided(owner, rest).catch(() => rest)
    }
  }

  async #attempt(owner: number, group: readonly Waiting[]): Promise<Map<string, number>> {
    const { postgres, onMail, onFree } = this.#deps
    const transitions = group.map(({ transition }) => transition)
    const table = await this.#partition.tableOf(transitions.map(({ id }) => id))
    if (!transitions.some(hasSideEffects)) return await writeTransitions(postgres, table, owner, transitions)
    let effects = noSideEffects
    const written = await postgres.tx(async (tx) => {
      // Of others only parents are written to that may be committed elsewhere.
      const parents = transitions.flatMap(({ tenant, end }) => (end?.parent ? [{ tenant, id: end.parent.id }] : []))
      if (parents.length > 0) await lockSagas(tx, [...transitions, ...parents])
      const kept = await writeTransitions(tx, table, owner, transitions)
      effects = await writeSideEffects(
        tx,
        transitions.filter(({ id }) => kept.has(id)),
      )
      return kept
    })
    // First, as who is told that a lock is free asks for it.
    onFree(effects.free, effects.late)
    onMail(effects.told)
    // Owners elsewhere look once a second anyway.
    tellOwners(postgres, effects.told).catch(() => undefined)
    return written
  }

  async #settle(group: readonly Waiting[], written: ReadonlyMap<string, number>): Promise<void> {
    for (const { transition, resolve, reject } of group) {
      const mail = written.get(transition.id)
      if (mail !== undefined) resolve({ kind: 'kept', mail })
      else if (isStart(transition) && transition.key) {
        const { key } = transition
        startedBy(this.#deps.postgres, key).then((sagaId) => {
          if (sagaId === undefined) reject(new AppError('INTERNAL', 'A start was refused, and nothing was started'))
          else resolve(sagaId === transition.id ? { kind: 'kept', mail: 0 } : { kind: 'exists', sagaId })
        }, reject)
      } else resolve(isStart(transition) ? { kind: 'exists', sagaId: transition.id } : { kind: 'lost' })
    }
  }

  /** After a commit in doubt: settles what is certain and returns what is not. */
  async #undecided(owner: number, group: Waiting[]): Promise<Waiting[]> {
    const { written, lost } = await settleDoubt(
      this.#deps.postgres,
      owner,
      group.map(({ transition }) => transition),
    )
    return group.filter(({ transition: { id }, resolve }) => {
      const mail = written.get(id)
      if (mail !== undefined) resolve({ kind: 'kept', mail })
      else if (lost.has(id)) resolve({ kind: 'lost' })
      return mail === undefined && !lost.has(id)
    })
  }

  /** One bad transition must not fail the others: each is tried for itself. */
  async #isolate(group: Waiting[], error: unknown): Promise<void> {
    const [first] = group
    if (group.length === 1 && first) {
      // Another process has just used the same key: trying again finds its saga.
      if (codeOf(error) !== 'CONFLICT' || first.again) return first.reject(error)
      first.again = true
    }
    for (const one of group) await this.#write([one])
  }
}

function settleAll(group: readonly Waiting[], committed: Committed): void {
  for (const { resolve } of group) resolve(committed)
}

/** Postgres understood the statement and will never take it. */
function isFinal(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'INTERNAL' || code === 'CONFLICT'
}
