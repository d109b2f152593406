import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Reply } from '../../../../modules/sagas/kit/participant/index.ts'
import type { Arrival, Effect, Look } from './messages.ts'
import { accounts, items, type Operation, type Order, operations, refusals, undoneBy } from './operations.ts'

const schema = `
  CREATE TABLE accounts (name TEXT PRIMARY KEY, balance INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE shelves (item TEXT PRIMARY KEY, free INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE orders (
    name TEXT PRIMARY KEY, amount INTEGER NOT NULL,
    ${operations.map((name) => `${name} INTEGER NOT NULL DEFAULT 0`).join(', ')},
    held INTEGER NOT NULL DEFAULT 0, kept INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  CREATE INDEX held ON orders (held) WHERE held > 0;
  CREATE INDEX kept ON orders (kept) WHERE kept > 0;
  CREATE TABLE effects (n INTEGER PRIMARY KEY, orders TEXT NOT NULL, key TEXT NOT NULL, effect TEXT NOT NULL);
  CREATE INDEX effects_by_key ON effects (key);
  CREATE INDEX effects_by_order ON effects (orders)`

/** What an operation moves: on which account or shelf, and in which direction. */
const moves = {
  charge: ({ account, amount }) => ['accounts', account, -amount],
  refund: ({ account, amount }) => ['accounts', account, amount],
  capture: ({ amount }) => ['accounts', 'merchant', amount],
  reserve: ({ item }) => ['shelves', item, -1],
  release: ({ item }) => ['shelves', item, 1],
  label: () => undefined,
  unlabel: () => undefined,
  clear: () => undefined,
  ship: () => undefined,
} as const satisfies Record<Operation, (order: Order) => readonly ['accounts' | 'shelves', string, number] | undefined>

/**
 * Accounts, shelves, and every effect, in SQLite. It does what it is asked as often as it is asked: keeping effects to one is the
 * business of the caller and of what stands before the book. Only the undo of what was never done has no effect.
 */
export class Book {
  readonly db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  /** @param file a new one, or `:memory:` */
  constructor(file: string) {
    this.db = new DatabaseSync(file)
    this.db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; ${schema}`)
    for (const name of [...accounts, 'merchant']) this.run('INSERT INTO accounts VALUES (?, 1000000)', name)
    for (const item of items) this.run('INSERT INTO shelves VALUES (?, 1000000)', item)
  }

  /** Carries out one operation, within the transaction that is open, if one is. */
  apply(order: Order, arrival: Arrival): Reply {
    const { operation } = arrival
    if (refusals[operation] === order.courier) return { status: 404, body: { code: 'NO_COURIER' } }
    this.run('INSERT INTO orders (name, amount) VALUES (?, ?) ON CONFLICT DO NOTHING', order.order, order.amount)
    const undone = undoneBy.get(operation)
    if (undone && this.row(`SELECT ${undone} AS n FROM orders WHERE name = ?`, order.order)?.n === 0)
      return { status: 204 }
    const move = moves[operation](order)
    if (move?.[0] === 'accounts') this.run('UPDATE accounts SET balance = balance + ? WHERE name = ?', move[2], move[1])
    if (move?.[0] === 'shelves') this.run('UPDATE shelves SET free = free + ? WHERE item = ?', move[2], move[1])
    this.run(`UPDATE orders SET ${operation} = ${operation} + 1 WHERE name = ?`, order.order)
    this.run(
      `UPDATE orders SET held = CASE WHEN charge > 0 AND refund = 0 AND capture = 0 THEN amount ELSE 0 END,
       kept = CASE WHEN reserve > 0 AND release = 0 THEN 1 ELSE 0 END WHERE name = ?`,
      order.order,
    )
    this.run(
      'INSERT INTO effects (orders, key, effect) VALUES (?, ?, ?)',
      order.order,
      arrival.key,
      JSON.stringify(arrival),
    )
    return { status: 200, body: { [operation]: order.order } }
  }

  look(): Look {
    const row = this.row(
      `SELECT (SELECT TOTAL(balance) FROM accounts) + (SELECT TOTAL(held) FROM orders WHERE held > 0) AS money,
         (SELECT TOTAL(free) FROM shelves) + (SELECT TOTAL(kept) FROM orders WHERE kept > 0) AS pieces`,
    )
    return { money: Number(row?.money), pieces: Number(row?.pieces) }
  }

  /** Of the orders whose name begins so, in the order in which they took place. */
  effects(orders: string): Effect[] {
    const text = 'SELECT n, effect FROM effects WHERE orders >= ? AND orders < ? ORDER BY n'
    const rows = this.#prepared(text).all(orders, `${orders}\uffff`)
    return rows.map(({ n, effect }) => ({ ...(JSON.parse(String(effect)) as Arrival), n: Number(n) }))
  }

  /** What took effect under this key. */
  byKey(key: string): Reply | undefined {
    const found = this.row('SELECT effect FROM effects WHERE key = ?', key)
    if (!found) return undefined
    const { operation, order } = JSON.parse(String(found.effect)) as Arrival
    return { status: 200, body: { [operation]: order } }
  }

  run(text: string, ...values: (string | number)[]): void {
    this.#prepared(text).run(...values)
  }

  row(text: string, ...values: (string | number)[]): Record<string, unknown> | undefined {
    return this.#prepared(text).get(...values)
  }

  #prepared(text: string): StatementSync {
    const statement = this.#statements.get(text) ?? this.db.prepare(text)
    this.#statements.set(text, statement)
    return statement
  }
}
