import { createHash } from 'node:crypto'

/**
 * A barrier before the steps of sagas, for any SQL database (after the sub-transaction barrier of dtm). One row for each step
 * of each saga, written in the transaction of the effect, says where the step is:
 *
 * - `fresh`: nothing took effect. A forward call runs; a crash, a 5xx or "later" rolls it back, and it stays fresh.
 * - `done`: the forward call took effect. The same call again gets the saved answer; an undo runs.
 * - `refused`: business refused the forward call for good, and nothing took effect. That key gets the saved refusal again; a key
 *   that was not refused yet is tried anew.
 * - `undone`: undone, or there was nothing to undo (the undo came first, or after a refusal). The same undo again gets the saved
 *   answer. No forward call takes effect any more: one that comes late gets 410, which is what it is, a final "nothing happened".
 *
 * In any state: 409 while another call for the step holds its row, 412 for a fencing token older than one seen for the saga,
 * 422 for another payload of a call that was answered, 503 for an effect whose time is over. A refused undo is not saved: it is owed.
 */
export interface Sql<Tx> {
  readonly dialect: 'postgres' | 'sqlite' | 'mysql'
  /** Runs `fn` in a transaction: commits when it resolves, rolls back when it rejects. SQLite: one at a time. */
  tx<T>(fn: (tx: Tx) => Promise<T>): Promise<T>
  /** Runs one statement in that transaction and resolves with its rows. */
  query(tx: Tx, text: string, params: (string | number)[]): Promise<readonly object[]>
}

export interface StepCall {
  readonly saga: string
  readonly step: string
  readonly operation: 'do' | 'undo'
  /** Idempotency-Key: the same for all attempts, another one for the undo. */
  readonly key: string
  /** Fencing token: grows when the saga's owner changes. */
  readonly fence: bigint
  /** What must not change between attempts, such as method and path; compared, and not kept. */
  readonly target: string
  readonly body: unknown
  /** By performance.now(): later nobody waits for the answer, and the call takes no effect any more. */
  readonly until?: number | undefined
}

/** `body` is a JSON value. 2xx: it took effect. 408, 409, 425, 429 and 5xx: it did not, try again. Any other: refused for good. */
export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** A business effect, made with `tx` and nothing else. An undo is given what the forward call answered. */
export type Effect<Tx> = (tx: Tx, call: StepCall, done?: Reply) => Promise<Reply>
export type Effects<Tx> = Readonly<Record<StepCall['operation'], Effect<Tx>>>

export const barrierTable = (dialect: Sql<unknown>['dialect']): string =>
  `CREATE TABLE IF NOT EXISTS splitstream_barrier (
    saga VARCHAR(128) NOT NULL, step VARCHAR(64) NOT NULL, state VARCHAR(8) NOT NULL, fence BIGINT NOT NULL,
    refused_keys TEXT NOT NULL, do_print VARCHAR(64), do_answer TEXT, undo_print VARCHAR(64), undo_answer TEXT,
    touched_at BIGINT NOT NULL, PRIMARY KEY (saga, step)
  )`.replace(/TEXT/g, dialect === 'mysql' ? 'MEDIUMTEXT' : 'TEXT') +
  (dialect === 'mysql' ? ' DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin' : '')

/**
 * Lets a call through to its effect, or answers for it. Effect and mark are committed together or not at all.
 * @throws what the effect or the database threw: nothing happened, unless it was the commit that broke. Answer 5xx.
 */
export async function passBarrier<Tx>(sql: Sql<Tx>, call: StepCall, effects: Effects<Tx>): Promise<Reply> {
  const { saga, step, operation } = call
  const print = fingerprint(call)
  await arrive(sql, call)
  return await sql.tx(async (tx) => {
    // The row is there: when it does not come, another transaction holds it.
    const lock = sql.dialect === 'sqlite' ? '' : ' FOR UPDATE SKIP LOCKED'
    const text = `SELECT b.*, (SELECT MAX(fence) FROM splitstream_barrier s WHERE s.saga = b.saga) AS newest
      FROM splitstream_barrier b WHERE saga = ? AND step = ?${lock}`
    const [row] = (await run(sql, tx, text, [saga, step])) as Row[]
    if (!row) return problem(409, 'STILL_RUNNING', 'Another call for this step is running', { 'retry-after': '1' })
    if ([row.fence, row.newest].some((seen) => call.fence < BigInt(seen)))
      return problem(412, 'STALE_FENCE', 'The saga has a newer owner')
    const set = (columns: string, values: (string | number)[]) =>
      run(sql, tx, `UPDATE splitstream_barrier SET ${columns} WHERE saga = ? AND step = ?`, [...values, saga, step])
    if (call.fence > BigInt(row.fence)) await set('fence = ?', [`${call.fence}`])
    if (operation === 'do' && row.state === 'undone')
      return problem(410, 'ALREADY_UNDONE', 'The step was undone before; this call did nothing')
    const refused = JSON.parse(row.refused_keys) as string[]
    const saved = row[`${operation}_answer`]
    const anew = operation === 'do' && row.state === 'refused' && !refused.includes(call.key)
    if (saved && !anew) {
      if (row[`${operation}_print`] !== print)
        return problem(422, 'OTHER_PAYLOAD', 'This call was answered before, with another payload')
      const reply = JSON.parse(saved) as Reply
      return { ...reply, headers: { ...reply.headers, 'idempotent-replayed': 'true' } }
    }

    const save = async (state: Row['state'], reply: Reply): Promise<Reply> => {
      const keys = JSON.stringify(state === 'refused' ? [...refused, call.key] : refused)
      const columns = `state = ?, refused_keys = ?, touched_at = ?, ${operation}_print = ?, ${operation}_answer = ?`
      await set(columns, [state, keys, Date.now(), print, JSON.stringify(reply)])
      return reply
    }
    if (operation === 'undo' && row.state !== 'done') return await save('undone', { status: 204 })
    await run(sql, tx, 'SAVEPOINT splitstream')
    const done = row.do_answer && operation === 'undo' ? (JSON.parse(row.do_answer) as Reply) : undefined
    const given = await effects[operation](tx, call, done)
    const reply = performance.now() > (call.until ?? Number.POSITIVE_INFINITY) ? tooLate : given
    if (reply.status >= 200 && reply.status < 300) return await save(operation === 'do' ? 'done' : 'undone', reply)
    await run(sql, tx, 'ROLLBACK TO SAVEPOINT splitstream')
    const final = reply.status < 500 && ![408, 409, 425, 429].includes(reply.status)
    return operation === 'do' && final ? await save('refused', reply) : reply
  })
}

/** Drops steps not touched for so long, ms: more than the longest saga takes and its keys are used. Resolves when done. */
export async function forgetSteps<Tx>(sql: Sql<Tx>, olderThanMs: number): Promise<void> {
  const text = 'DELETE FROM splitstream_barrier WHERE touched_at < ?'
  await sql.tx((tx) => run(sql, tx, text, [Date.now() - olderThanMs]))
}

type Row = { state: 'fresh' | 'done' | 'refused' | 'undone' } & Record<'fence' | 'newest' | 'refused_keys', string> &
  Record<`${StepCall['operation']}_${'print' | 'answer'}`, string | null>

/** Commits the row of a step before its effect is tried, so that there is something to hold without waiting for others. */
async function arrive<Tx>(sql: Sql<Tx>, { saga, step, fence }: StepCall): Promise<void> {
  const known = async (tx: Tx) =>
    (await run(sql, tx, 'SELECT 1 FROM splitstream_barrier WHERE saga = ? AND step = ?', [saga, step])).length > 0
  const insert = `INSERT INTO splitstream_barrier (saga, step, state, fence, refused_keys, touched_at)
    VALUES (?, ?, 'fresh', ?, '[]', ?)`
  try {
    await sql.tx(async (tx) => (await known(tx)) || (await run(sql, tx, insert, [saga, step, `${fence}`, Date.now()])))
  } catch (error) {
    // Another call for the step may have been faster; anything else goes on.
    if (!(await sql.tx(known))) throw error
  }
}

function run<Tx>(sql: Sql<Tx>, tx: Tx, text: string, params: (string | number)[] = []): Promise<readonly object[]> {
  let n = 0
  return sql.query(tx, sql.dialect === 'postgres' ? text.replace(/\?/g, () => `$${++n}`) : text, params)
}

/** Of the JSON value, not of its bytes: members may come in another order. */
function fingerprint({ target, body }: StepCall): string {
  const sorted = (_: string, value: unknown) =>
    value === null || typeof value !== 'object' || Array.isArray(value)
      ? value
      : Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  const text = JSON.stringify([target, body], sorted)
  return createHash('sha256').update(text).digest('hex')
}

const tooLate = problem(503, 'TOO_LATE', 'The time of the call is over; it did nothing')
function problem(status: number, code: string, detail: string, more?: Record<string, string>): Reply {
  return { status, headers: { 'content-type': 'application/problem+json', ...more }, body: { status, code, detail } }
}
