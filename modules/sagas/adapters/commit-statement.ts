/** What a move says, each value with its type. */
export const moveColumns = {
  ...{ tenant: 'text', id: 'uuid', fence: 'bigint', seq: 'integer', held: 'boolean', due: 'float8', ended: 'float8' },
  ...{ status: 'text', problem: 'text', lines: 'text', seen: 'integer' },
} as const
/** What a start says. */
export const startColumns = {
  ...{ key: 'bytea', event: 'boolean', id: 'uuid', version: 'integer', tenant: 'text', name: 'text', fence: 'bigint' },
  ...{ held: 'boolean', due: 'float8', ended: 'float8', status: 'text', problem: 'text', lines: 'text', alias: 'uuid' },
} as const

type Columns = Readonly<Record<string, string>>

/** Rows `n` from one parameter, JSON. */
const rowsOf = (parameter: string, columns: Columns): string => {
  const typed = Object.entries(columns).map(([name, type]) => `${name} ${type}`)
  return `json_to_recordset(${parameter}::json) AS n (${typed.join(', ')})`
}

/** One row `n`, each value a parameter, after $1. */
const rowOf = (columns: Columns): string => {
  const values = Object.values(columns).map((type, i) => `$${i + 2}::${type}`)
  return `(VALUES (${values.join(', ')})) AS n (${Object.keys(columns).join(', ')})`
}

/** @param given the rows `n` that say what moves */
const moved = (table: string, given: string): string => `moved AS (
  UPDATE ${table} s SET
    owner = CASE WHEN n.held THEN s.owner END,
    due_at = CASE WHEN n.held THEN NULL WHEN s.mail > n.seen THEN clock_timestamp() ELSE to_timestamp(n.due / 1000) END,
    ended_at = CASE WHEN n.ended IS NOT NULL THEN coalesce(s.ended_at, to_timestamp(n.ended / 1000)) END,
    status = n.status, seq = s.seq + 1, problem = n.problem, journal = n.lines || s.journal
  FROM ${given}
  WHERE s.tenant = n.tenant AND s.id = n.id AND s.fence = n.fence AND s.seq = n.seq
    AND s.owner IS NOT DISTINCT FROM $1::integer AND n.seq BETWEEN 0 AND 2147483647
  RETURNING s.id, s.mail
)`

/** @param given the rows `n` that say what starts */
const started = (table: string, given: string): string => `given AS (
  SELECT * FROM ${given} WHERE n.version BETWEEN 1 AND 2147483647
), once AS (
  INSERT INTO starts (key, saga_id, event)
  SELECT n.key, n.id, n.event FROM given n
  WHERE n.key IS NOT NULL AND NOT EXISTS (SELECT FROM starts s WHERE s.key = n.key)
  RETURNING saga_id
), started AS (
  INSERT INTO ${table} (id, version, tenant, name, fence, owner, due_at, ended_at, status, seq, problem, journal, alias)
  SELECT n.id, n.version, n.tenant, n.name, n.fence, CASE WHEN n.held THEN $1::integer END,
    to_timestamp(n.due / 1000), to_timestamp(n.ended / 1000), n.status, 1, n.problem, n.lines, n.alias
  FROM given n
  WHERE (n.key IS NULL OR n.id IN (SELECT saga_id FROM once))
    AND NOT EXISTS (SELECT FROM ${table} s WHERE s.tenant = n.tenant AND s.id = n.id)
  RETURNING id, mail
)`

/**
 * All transitions of a group commit in one statement: a round trip and a sync for dozens of sagas. Starts whose key made a
 * saga before make nothing; transitions of sagas that have another owner by now change nothing. What was written comes back.
 * Two processes that start with the same key at the same instant: one is refused by the unique key (CONFLICT), and finds the
 * other's saga when it tries again. ON CONFLICT would do without, and log 48 bytes more for each row.
 *
 * The rows come as JSON: written in one go by V8, where Postgres' arrays are put together text by text in JavaScript. The ranges of
 * version and seq, which hold for all, tell the planner that the rows are few; else it takes them for a hundred, and reads all
 * of a small table instead.
 *
 * The owner is compared by IS NOT DISTINCT FROM, for which no index is used: by "sagas of this owner" all that it holds would
 * be read for each one that moves.
 */
export const statement = (table: string): string => `
WITH ${started(table, rowsOf('$2', startColumns))}, ${moved(table, rowsOf('$3', moveColumns))}
SELECT id, mail FROM started UNION ALL SELECT id, mail FROM moved`

/** For a group that starts nothing, as most small ones. */
export const statementOfMoves = (table: string): string => `
WITH ${moved(table, rowsOf('$2', moveColumns))}
SELECT id, mail FROM moved`

/** For a move alone, as all are while sagas come one after another: a tenth less of Postgres' time. */
export const statementOfMove = (table: string): string => `
WITH ${moved(table, rowOf(moveColumns))}
SELECT id, mail FROM moved`

/** For a start alone. */
export const statementOfStart = (table: string): string => `
WITH ${started(table, rowOf(startColumns))}
SELECT id, mail FROM started`
