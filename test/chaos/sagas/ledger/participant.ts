import { createHash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { sqliteSql } from '../../../../modules/sagas/kit/demo/sqlite.ts'
import { barrierTable, passBarrier, type Reply, type Sql } from '../../../../modules/sagas/kit/participant/index.ts'
import type { Book } from './book.ts'
import { KeyMemory } from './key-memory.ts'
import type { Arrival, Character, Fault } from './messages.ts'
import type { Order } from './operations.ts'

export interface Call extends Arrival {
  readonly body: Order
  /** Method, path and body: what must not change under one key. */
  readonly request: string
  /** When the caller leaves, ms, by the clock of the arrivals. */
  readonly until: number
}

/** Stands before the book as real participants do, and sees to it that each call takes effect once. */
export class Participant {
  readonly #book: Book
  readonly #character: Character
  readonly #keys: KeyMemory
  readonly #sql: Sql<DatabaseSync>
  /** Greatest fencing token seen, by saga and by locked item. */
  readonly #newest = new Map<string, number>()

  constructor(book: Book, character: Character) {
    this.#book = book
    this.#character = character
    const { keyWindowMs, replaysErrors, forgetsRunning } = character
    this.#keys = new KeyMemory({ windowMs: keyWindowMs, replaysErrors, forgetsRunning })
    this.#sql = sqliteSql(book.db)
    book.db.exec(barrierTable('sqlite'))
  }

  /** A fault that takes place here: a status of its own, with or without the effect, or a pause before everything. */
  async answer(call: Call, fault: Fault | undefined): Promise<Reply> {
    if (this.#character.checksFences && !this.#isFresh(call)) return { status: 412, body: { code: 'STALE_FENCE' } }
    return this.#character.guard === 'barrier' ? await this.#behindBarrier(call, fault) : await this.#byKey(call, fault)
  }

  /** What became of a key: 2xx with the answer, 404 when nothing did, 409 while it runs. */
  lookUp(key: string): Reply {
    const effect = this.#book.byKey(key)
    if (effect) return effect
    return this.#keys.find(key) === 'running' ? { status: 409 } : { status: 404 }
  }

  async #byKey(call: Call, fault: Fault | undefined): Promise<Reply> {
    const known = this.#keys.claim(call.key, call.request)
    if (known) return known
    if (fault?.kind === 'slow') await sleep(fault.ms)
    const isLate = this.#character.keepsTimeouts && performance.now() > call.until
    const failed = isLate ? tooLate : fault?.kind === 'status' ? statusOf(fault) : undefined
    const reply = failed && (isLate || !hasEffect(fault)) ? failed : await this.#effect(call)
    this.#keys.settle(call.key, failed && this.#character.replaysErrors ? failed : reply)
    return failed ?? reply
  }

  /** The pause comes first: the barrier's transaction is the only one of its database. */
  async #behindBarrier(call: Call, fault: Fault | undefined): Promise<Reply> {
    if (fault?.kind === 'slow') await sleep(fault.ms)
    const failed = fault?.kind === 'status' ? statusOf(fault) : undefined
    const effect = async (): Promise<Reply> =>
      failed && !hasEffect(fault) ? failed : this.#book.apply(call.body, call)
    const { saga, step, key, request, fence, undo } = call
    const target = createHash('sha256').update(request).digest('base64')
    const stepCall = {
      saga,
      step,
      operation: undo ? 'undo' : 'do',
      key,
      fence: BigInt(fence),
      target,
      body: null,
    } as const
    const reply = await passBarrier(this.#sql, stepCall, { do: effect, undo: effect })
    return failed ?? reply
  }

  #effect(call: Call): Promise<Reply> {
    return this.#sql.tx(async () => this.#book.apply(call.body, call))
  }

  #isFresh({ saga, fence, item, lock }: Call): boolean {
    const ofSaga = this.#sees(`saga ${saga}`, fence)
    return (lock === undefined || this.#sees(`item ${item}`, lock)) && ofSaga
  }

  #sees(what: string, token: number): boolean {
    const newest = this.#newest.get(what) ?? 0
    if (token > newest) this.#newest.set(what, token)
    return token >= newest
  }
}

/** Whether the call takes effect though it goes wrong. */
const hasEffect = (fault: Fault | undefined): boolean =>
  fault !== undefined && (!('effect' in fault) || fault.effect === true)

const tooLate: Reply = { status: 503, body: { code: 'TOO_LATE' } }

const statusOf = ({ status, retryAfter }: Extract<Fault, { kind: 'status' }>): Reply => ({
  status,
  ...(retryAfter !== undefined && { headers: { 'retry-after': `${retryAfter}` } }),
  body: { code: 'FAULT' },
})
