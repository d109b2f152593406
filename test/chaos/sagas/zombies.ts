import { setTimeout as delay } from 'node:timers/promises'
import type { Findings } from '../findings.ts'
import { signal } from '../processes.ts'
import { Random } from '../random.ts'
import { type Installation, until, type Worker } from './installation.ts'
import type { Part } from './place.ts'
import { firstColumn, type Message } from './postgres/messages.ts'
import { runSagas } from './run.ts'

const commit = /^WITH (given|moved) AS/
type LastWord = (sql: string, inTransaction: boolean) => boolean
/** What a worker says to Postgres when it is cut off. */
const lastWords = {
  /**
   * Transitions of sagas that are there: what only starts would be nobody's until others take it, and so not stale. Not in a
   * transaction with what they send: Postgres ends one that waits, and what comes later finds no session.
   */
  commit: (sql, inTransaction) => /^WITH moved AS/.test(sql) && !inTransaction,
  /** The end of such a transaction: until it comes, its rows are locked. */
  'end of a transaction': (sql) => /^COMMIT/.test(sql),
  /** It takes sagas over. */
  claim: (sql) => /^WITH due AS/.test(sql),
  renewal: (sql) => /^UPDATE workers/.test(sql),
} satisfies Record<string, LastWord>

/** How a worker comes to believe that it owns what it has lost. */
export type Zombie =
  /**
   * It stands still when a commit was answered, before it hears of it, and wakes up when others have its sagas. Then its own clock
   * tells it that its lease is over, so it writes nothing: the run shows that nothing is offered, and those that are cut off
   * show what becomes of writes that are. Participants refuse tokens that are older than one they have seen.
   */
  | { readonly kind: 'stopped'; readonly nth: number }
  /** From this statement on, what it sends to Postgres arrives when others have its sagas: this statement at least. */
  | { readonly kind: 'cut off'; readonly at: keyof typeof lastWords; readonly nth: number }

const zombies: Readonly<Record<string, Zombie>> = {
  'stopped early': { kind: 'stopped', nth: 3 },
  'stopped late': { kind: 'stopped', nth: 8 },
  'cut off at a commit': { kind: 'cut off', at: 'commit', nth: 2 },
  'cut off at a later commit': { kind: 'cut off', at: 'commit', nth: 5 },
  'cut off in a transaction': { kind: 'cut off', at: 'end of a transaction', nth: 2 },
  'cut off at a claim': { kind: 'cut off', at: 'claim', nth: 1 },
  'cut off at a renewal': { kind: 'cut off', at: 'renewal', nth: 1 },
}

export const zombieParts: Readonly<Record<string, Part>> = Object.fromEntries(
  Object.entries(zombies).map(([name, zombie]) => [
    name,
    ({ installation }, seed, findings) => runZombie(zombie, `zombie-${name}-`, seed, installation, findings),
  ]),
)

/** A lease, and a look of the others, with room for a busy machine, ms. */
const takeoverMs = 20_000

/** One worker becomes a zombie under load, others take its sagas, it comes back: nothing that it still writes may count. */
async function runZombie(zombie: Zombie, prefix: string, seed: number, installation: Installation, findings: Findings) {
  const victim = new Random(seed).pick(installation.alive)
  const { ended, looks, meanwhile } = await runSagas(
    installation,
    {
      prefix,
      seed,
      orders: 60,
      // With eight, whose sagas move together, a worker may make three such commits in all; with two, 21 at least.
      clients: 2,
      character: { guard: 'keys', checksFences: zombie.kind === 'stopped' },
      endsWithinMs: 30_000,
    },
    findings,
    async () => {
      const one = new Returning(victim, installation, findings)
      const what = await (zombie.kind === 'stopped'
        ? one.stop(zombie.nth)
        : one.cutOff(lastWords[zombie.at], zombie.nth))
      victim.proxy.intercept = undefined
      // A claim or a renewal is itself what comes too late; of the others a write of a saga has to.
      const writes = zombie.kind === 'cut off' && zombie.at !== 'claim' && zombie.at !== 'renewal'
      if (writes && what.offered === 0) findings.add('nothing stale was offered', victim.process.name)
      return what
    },
  )
  return { ...meanwhile, ended, looks }
}

class Returning {
  readonly #victim: Worker
  readonly #installation: Installation
  readonly #findings: Findings
  readonly #pid: number
  #worker: number | undefined
  #hasNewLease = false
  #offered = 0
  /** Stale writes that Postgres has not answered yet. */
  #unanswered = 0
  #accepted = 0

  constructor(victim: Worker, installation: Installation, findings: Findings) {
    this.#victim = victim
    this.#installation = installation
    this.#findings = findings
    this.#pid = victim.process.pid!
  }

  async stop(nth: number) {
    const stopped = Promise.withResolvers<void>()
    let left = nth
    this.#victim.proxy.intercept = (sql) => {
      if (!commit.test(sql) || --left !== 0) return undefined
      const after = async (): Promise<boolean> => {
        signal(this.#pid, 'SIGSTOP')
        stopped.resolve()
        return true
      }
      return { after }
    }
    if (!(await inTime(stopped.promise, 30_000))) return this.#missed()
    const takenOverMs = await this.#takenOver()
    this.#watchUntilLease()
    signal(this.#pid, 'SIGCONT')
    await this.#settled()
    if (this.#offered > 0) this.#findings.add('wrote after its lease', `${this.#offered} times`)
    return await this.#told(takenOverMs)
  }

  async cutOff(isLast: LastWord, nth: number) {
    const cut = Promise.withResolvers<void>()
    const healed = Promise.withResolvers<void>()
    let left = nth
    this.#victim.proxy.intercept = (sql, inTransaction) => {
      if (left > 0 && (!isLast(sql, inTransaction) || --left !== 0)) return undefined
      // It ends a transaction that was written in before.
      if (/^COMMIT/.test(sql)) this.#offered++
      cut.resolve()
      const before = async (): Promise<boolean> => {
        await healed.promise
        return true
      }
      return { ...(commit.test(sql) && this.#stale()), before }
    }
    if (!(await inTime(cut.promise, 30_000))) return this.#missed()
    const takenOverMs = await this.#takenOver()
    this.#watchUntilLease()
    healed.resolve()
    await this.#settled()
    return await this.#told(takenOverMs)
  }

  /** Until it has another lease, all that it writes is stale. */
  #watchUntilLease(): void {
    this.#victim.proxy.intercept = (sql) => {
      this.#hasNewLease ||= /^INSERT INTO workers/.test(sql)
      return commit.test(sql) && !this.#hasNewLease ? this.#stale() : undefined
    }
  }

  /** Until it has another lease and has heard of all that it wrote before. A busy machine may take its time for both. */
  async #settled(): Promise<void> {
    await delay(2_000)
    await until(() => this.#hasNewLease && this.#unanswered === 0, 15_000)
  }

  /** A claim that comes late gives sagas to a worker that is dead: nobody else may go without them. */
  async #told(takenOverMs: number) {
    const sql = 'SELECT FROM sagas.sagas WHERE owner = $1 LIMIT 1'
    const isRid = await until(async () => (await this.#installation.rows(sql, [this.#worker])).length === 0, 5_000)
    if (!isRid) this.#findings.add('a dead worker owns sagas', this.#victim.process.name)
    return { takenOverMs, offered: this.#offered, accepted: this.#accepted }
  }

  /** Nothing was tried, and so nothing is shown. */
  #missed() {
    this.#findings.add('never became a zombie', this.#victim.process.name)
    return { takenOverMs: 0, offered: 0, accepted: 0 }
  }

  #stale() {
    this.#offered++
    this.#unanswered++
    const after = async (answer: readonly Message[]): Promise<boolean> => {
      // A saga that was only made is nobody's yet, and others take it. Anything more is a write over a newer owner's.
      const ids = firstColumn(answer)
      const moved = await this.#installation.rows('SELECT id FROM sagas.sagas WHERE id = ANY($1::uuid[]) AND seq > 1', [
        ids,
      ])
      this.#accepted += moved.length
      for (const { id } of moved)
        this.#findings.add('a stale write was accepted', `of ${this.#victim.process.name}: ${id}`)
      this.#unanswered--
      return true
    }
    return { after }
  }

  /** Waits until others have what the victim had. @returns how long it took, ms */
  async #takenOver(): Promise<number> {
    const began = performance.now()
    const like = `%:${this.#pid}`
    const [row] = await this.#installation.rows<{ id: number }>('SELECT id FROM sagas.workers WHERE name LIKE $1', [
      like,
    ])
    this.#worker = row?.id
    const taken = await until(async () => {
      const left = await this.#installation.rows(
        'SELECT FROM sagas.workers WHERE id = $1 UNION ALL SELECT FROM sagas.sagas WHERE owner = $1 LIMIT 1',
        [row?.id],
      )
      return left.length === 0
    }, takeoverMs)
    if (!taken)
      this.#findings.add('its sagas were not taken over', `of ${this.#victim.process.name}, in ${takeoverMs} ms`)
    return Math.round(performance.now() - began)
  }
}

/** Whether it resolved in time. */
function inTime(promise: Promise<void>, ms: number): Promise<boolean> {
  return Promise.race([promise.then(() => true), delay(ms, false)])
}
