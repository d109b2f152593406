import { DatabaseSync } from 'node:sqlite'

export const services = ['payments', 'stock', 'shipping'] as const
export type Service = (typeof services)[number]

/** One effect, as a service has made it: never changed, and an undo is an effect of its own with the opposite amount. */
export interface LedgerEntry {
  readonly service: Service
  readonly saga: string
  readonly orderId: string
  readonly effect: 'charge' | 'refund' | 'reserve' | 'release' | 'ship'
  readonly amount: number
}

export const openLedger = (file: string): DatabaseSync => {
  const db = new DatabaseSync(file)
  db.exec(`CREATE TABLE IF NOT EXISTS ledger (
    service TEXT NOT NULL, saga TEXT NOT NULL, order_id TEXT NOT NULL, effect TEXT NOT NULL, amount REAL NOT NULL)`)
  return db
}

export function enter(db: DatabaseSync, { service, saga, orderId, effect, amount }: LedgerEntry): void {
  db.prepare('INSERT INTO ledger VALUES (?, ?, ?, ?, ?)').run(service, saga, orderId, effect, amount)
}

export function balanceOf(db: DatabaseSync, service: Service): number {
  return Number(db.prepare('SELECT TOTAL(amount) AS n FROM ledger WHERE service = ?').get(service)?.n)
}

export function entriesOf(db: DatabaseSync): LedgerEntry[] {
  const text = 'SELECT service, saga, order_id AS orderId, effect, amount FROM ledger ORDER BY rowid'
  return db.prepare(text).all() as unknown as LedgerEntry[]
}
