import type { Postgres } from '@splitstream/kernel'
import { leastId } from './saga-rows.ts'

const dayMs = 86_400_000
export const weekMs = 7 * dayMs
/** Partitions are made so far ahead. */
const weeksAhead = 3

/** Monday 00:00 UTC of the week of `at`, ms since the epoch. The epoch was a Thursday. */
const weekOf = (at: number): number => Math.floor((at + 3 * dayMs) / weekMs) * weekMs - 3 * dayMs

/** The partition of a week. */
export const nameOf = (week: number): string => `sagas_${new Date(week).toISOString().slice(0, 10).replaceAll('-', '')}`

/**
 * Makes the partitions of this week and the next ones. A partition holds the sagas that were started in its week; what
 * has no week (a clock was years off) is kept in the partition `sagas_other`.
 * @param now the database's clock, ms since the epoch
 */
export async function ensurePartitions(postgres: Postgres, now: number): Promise<void> {
  await postgres.tx(async (tx) => {
    // Processes that start at once take turns.
    await tx.query(`SELECT pg_advisory_xact_lock(hashtext('splitstream sagas partitions'))`)
    await tx.query(`CREATE TABLE IF NOT EXISTS sagas_other PARTITION OF sagas DEFAULT ${storage}`)
    for (let week = weekOf(now); week <= now + weeksAhead * weekMs; week += weekMs) {
      const [found] = await tx.query('SELECT 1 FROM pg_class WHERE oid = to_regclass($1)', [nameOf(week)])
      if (found) continue
      await tx.query(
        `CREATE TABLE ${nameOf(week)} PARTITION OF sagas
         FOR VALUES FROM ('${leastId(week)}') TO ('${leastId(week + weekMs)}') ${storage}`,
      )
    }
  })
}

/**
 * The table to name in a statement about some sagas: the partition of this week when all were started in it, else the table of
 * all sagas. Partitions are dropped long after their week, so this week's is none that goes away.
 */
export class CurrentPartition {
  readonly #postgres: Postgres
  readonly #now: () => number
  #week = Number.NaN
  #from = ''
  #to = ''
  #table = ''

  /** @param now ms since the epoch */
  constructor(postgres: Postgres, now: () => number) {
    this.#postgres = postgres
    this.#now = now
  }

  async tableOf(ids: readonly string[]): Promise<string> {
    const week = weekOf(this.#now())
    if (this.#week !== week && !(await this.#turnTo(week))) return 'sagas'
    return ids.every((id) => id >= this.#from && id < this.#to) ? this.#table : 'sagas'
  }

  /** @returns whether the partition is there: with a clock that is years off it may not be */
  async #turnTo(week: number): Promise<boolean> {
    const table = nameOf(week)
    const [found] = await this.#postgres.query('SELECT 1 FROM pg_class WHERE oid = to_regclass($1)', [table])
    if (!found) return false
    this.#week = week
    this.#from = leastId(week)
    this.#to = leastId(week + weekMs)
    this.#table = table
    return true
  }
}

/** A row triples in its life, which is short: with room for that in its page an update touches no index (HOT). */
const storage = 'WITH (fillfactor = 30, autovacuum_vacuum_insert_scale_factor = 0.5)'

/** The weeks that have a partition, oldest first: where each begins, ms since the epoch. */
export async function weeks(postgres: Postgres): Promise<number[]> {
  const rows = await postgres.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'sagas'::regclass AND c.relname ~ '^sagas_[0-9]{8}$' ORDER BY c.relname`,
  )
  return rows.map(({ name }) => Date.parse(name.replace(/^sagas_(....)(..)(..)$/, '$1-$2-$3')))
}

/** No saga is kept that was started before this, ms since the epoch; undefined without any partition. */
export async function oldestKept(postgres: Postgres): Promise<number | undefined> {
  return (await weeks(postgres))[0]
}
