import type { Postgres } from '@splitstream/kernel'
import { nameOf, weekMs, weeks } from './partitions.ts'
import { leastId } from './saga-rows.ts'

/** One statement goes through so many pages at most: some hundred sagas, or some ten thousand keys. */
const pagesAtOnce = 256
/** Keys of a week that stays are forgotten only when no more sagas of it are kept: their ids are one parameter. */
const mostKept = 50_000

export interface Retention {
  /** Sagas go that ended before this, ms since the epoch. */
  readonly before: number
  /** Keys of events go whose saga was started before this, ms since the epoch. */
  readonly keysBefore: number
  /** False when it is time to stop: the rest is for the next run. */
  goesOn(): boolean
}

export interface Forgotten {
  /** Partitions that are gone. */
  readonly dropped: readonly string[]
  /** Sagas that are gone of weeks that stay. */
  readonly sagas: number
  /** Those that keep old weeks, as they have not ended: how many, and the oldest one's id. */
  readonly open: number
  readonly oldest: string | undefined
  /** False when something is left for the next run. */
  readonly done: boolean
}

/**
 * Forgets sagas that ended long ago. A week of which none is kept goes as a whole; of a week with sagas that go on, ended
 * lately, or are children of a saga that is kept (it may have to undo them) the others go. With sagas go the keys of the
 * requests that made them; those of events stay longer.
 * @throws AppError UNAVAILABLE when somebody reads a week for long that is to go: the next run tries again
 */
export async function forgetSagas(postgres: Postgres, retention: Retention): Promise<Forgotten> {
  const dropped: string[] = []
  const sum = { sagas: 0, open: 0, oldest: undefined as string | undefined, done: true }
  for (const week of await weeks(postgres)) {
    if (week + weekMs > retention.before) break
    const table = nameOf(week)
    const isEmpty =
      !(await keepsAny(postgres, table, retention.before)) && !(await keepsChild(postgres, week, retention))
    if (!isEmpty) sum.sagas += await forgetEnded(postgres, table, retention)
    const kept = isEmpty ? [] : await keptOf(postgres, table)
    const open = kept.filter((one) => one.open)
    sum.open += open.length
    sum.oldest ??= open[0]?.id
    // Keys of a week that is to go go first, as it takes a while. From then on a repeated key would make another saga.
    if (isEmpty || kept.length <= mostKept) await forgetKeys(postgres, week, kept, retention)
    sum.done = retention.goesOn()
    if (!sum.done) break
    if (!isEmpty) continue
    await drop(postgres, table)
    dropped.push(table)
  }
  return { dropped, ...sum }
}

/** Some saga of the week goes on, or ended at `before` or later. */
async function keepsAny(postgres: Postgres, table: string, before: number): Promise<boolean> {
  const sql = `SELECT FROM ${table} WHERE ended_at IS NULL OR ended_at >= to_timestamp($1::float8 / 1000) LIMIT 1`
  return (await postgres.query(sql, [before])).length > 0
}

/** Those that are left, oldest first; one more than can be told apart at most. */
async function keptOf(postgres: Postgres, table: string): Promise<{ readonly id: string; readonly open: boolean }[]> {
  return await postgres.query(`SELECT id, ended_at IS NULL AS open FROM ${table} ORDER BY id LIMIT $1`, [mostKept + 1])
}

const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
/** Of the saga `s`: its journal ends with its start, which ends with who started it. What is none by chance is harmless. */
const parent = `substring(s.journal FROM '.*"parent":"(${uuid})"')::uuid`

/**
 * Some saga of the week has a parent that is kept. A parent was started before its children, so the week is only gone through when
 * sagas of earlier ones are kept; those of its own week go with it.
 */
async function keepsChild(postgres: Postgres, week: number, { goesOn }: Retention): Promise<boolean> {
  const older = `id < '${leastId(week)}'`
  if ((await postgres.query(`SELECT FROM sagas WHERE ${older} LIMIT 1`)).length === 0) return false
  let found = false
  await pageByPage(
    postgres,
    nameOf(week),
    () => !found && goesOn(),
    async (range) => {
      const rows = await postgres.query(
        `SELECT FROM ${nameOf(week)} s WHERE ${range} AND s.journal LIKE '%"parent":"%'
         AND EXISTS (SELECT FROM sagas p WHERE p.tenant = s.tenant AND p.id = ${parent} AND p.${older} OFFSET 0) LIMIT 1`,
      )
      found = rows.length > 0
      return rows
    },
  )
  return found || !goesOn()
}

async function forgetEnded(postgres: Postgres, table: string, { before, goesOn }: Retention): Promise<number> {
  return await pageByPage(postgres, table, goesOn, (range) =>
    postgres.query(
      // OFFSET 0: parents are looked up by their key, and not found by reading all sagas.
      `DELETE FROM ${table} s WHERE ${range} AND s.ended_at < to_timestamp($1::float8 / 1000)
         AND NOT EXISTS (SELECT FROM sagas p WHERE p.tenant = s.tenant AND p.id = ${parent} OFFSET 0) RETURNING 1`,
      [before],
    ),
  )
}

/** Of requests that made sagas of the week which are not kept, and of all old events. */
async function forgetKeys(
  postgres: Postgres,
  week: number,
  kept: readonly { readonly id: string }[],
  { keysBefore, goesOn }: Retention,
): Promise<void> {
  const [from, to] = [leastId(week), leastId(week + weekMs)]
  const values = [from, to, leastId(Math.min(keysBefore, week + weekMs)), kept.map(({ id }) => id)]
  await pageByPage(postgres, 'starts', goesOn, (range) =>
    postgres.query(
      `DELETE FROM starts s WHERE ${range} AND CASE WHEN s.event THEN s.saga_id < $3
         ELSE s.saga_id >= $1 AND s.saga_id < $2 AND s.saga_id <> ALL($4::uuid[]) END RETURNING 1`,
      values,
    ),
  )
}

async function drop(postgres: Postgres, table: string): Promise<void> {
  await postgres.tx(async (tx) => {
    // While it waits for the locks, everybody waits who wants any saga.
    await tx.query(`SET LOCAL lock_timeout = '500ms'`)
    await tx.query(`DROP TABLE ${table}`)
  })
}

/**
 * Goes once through the table `s` as it is now, in statements of which none goes through more than some pages.
 * @returns how many rows they gave
 */
async function pageByPage(
  postgres: Postgres,
  table: string,
  goesOn: () => boolean,
  work: (range: string) => Promise<unknown[]>,
): Promise<number> {
  const sql = `SELECT (pg_relation_size($1::regclass) / current_setting('block_size')::bigint)::integer AS n`
  const [pages] = await postgres.query<{ n: number }>(sql, [table])
  let count = 0
  for (let from = 0; from < pages!.n && goesOn(); from += pagesAtOnce) {
    count += (await work(`s.ctid >= '(${from},0)'::tid AND s.ctid < '(${from + pagesAtOnce},0)'::tid`)).length
  }
  return count
}
