import type { Postgres, PostgresTx } from '@splitstream/kernel'

export type LogName = 'local' | 'kafka'

export interface TurnView {
  readonly log: LogName
  readonly consumer: string
  readonly turn: number
  readonly state: 'open' | 'empty' | 'over'
}

export interface UserView {
  readonly log: LogName
  readonly name: string
  readonly writes: boolean
  readonly consumers: readonly string[]
  /** To the hour. */
  readonly seenAt: Date
}

/** The advisory lock of whoever changes turns. Any number will do. */
const lock = 5_011_947_203
/** A process that was not seen for so long is gone for good. */
const forgottenAfter = '7 days'

/*
 * Whose turn it is, in Postgres, which all processes share. While an installation moves from one log to another, both are
 * appended to and both are consumed. If a group took from both at once, an event that was appended to the old one, and sent
 * again through the new one, could be stored twice, and the order of its subject turned round. So each group finishes with one
 * log before it begins with the next. A log, as one group has it, is
 *
 *   open    used, or left with something in it that the group has not taken
 *   empty   left by its last user with nothing in it. Whoever uses it again finds it open, in its old place.
 *   over    the group has begun with the next log. Whoever uses it again finds it open, behind all others.
 *
 * A group begins with a log when all logs of an earlier turn are over. An empty one becomes so at that moment, provided that
 * somebody appends to the new log, or did: without, the installation has not moved. A process that dies has not left: what it was
 * given may be unread, or in its spool.
 */
export class LogTurns {
  readonly #postgres: Postgres
  readonly #log: LogName
  readonly #name: string
  readonly #nobodyAppends: string

  /**
   * @param postgres with the schema of ingest
   * @param name of this process, the same after a restart
   */
  constructor(postgres: Postgres, log: LogName, name: string) {
    this.#postgres = postgres
    this.#log = log
    this.#name = name
    this.#nobodyAppends = `nobody appends to the ${log} log yet`
  }

  /** Before the first append, and before anything is consumed. */
  async enter(writes: boolean): Promise<void> {
    await this.#change(async (tx) => {
      await tx.query(`DELETE FROM log_users WHERE seen_at < now() - interval '${forgottenAfter}'`)
      // Only one process at a time can have a local log.
      await tx.query(`DELETE FROM log_users WHERE log = $1 AND log = 'local'`, [this.#log])
      await tx.query(
        `INSERT INTO log_users (log, name, writes) VALUES ($1, $2, $3)
         ON CONFLICT (log, name) DO UPDATE SET writes = $3, consumers = '{}', seen_at = now()`,
        [this.#log, this.#name, writes],
      )
      // All groups are about to get something.
      if (writes) await reopen(tx, 'log = $1', [this.#log])
    })
  }

  /** Before the group is consumed here. */
  async join(consumer: string): Promise<void> {
    await this.#change(async (tx) => {
      await tx.query(
        `UPDATE log_users SET consumers = array_append(array_remove(consumers, $3), $3) WHERE log = $1 AND name = $2`,
        [this.#log, this.#name, consumer],
      )
      await tx.query('INSERT INTO log_turns (log, consumer) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
        this.#log,
        consumer,
      ])
      await reopen(tx, 'log = $1 AND consumer = $2', [this.#log, consumer])
    })
  }

  /**
   * Begins with our log, if it is the turn of a group that was joined. Once it was, it stays so until we leave.
   * @param holdsSomething whether there is anything in our log that the group has not taken
   * @returns what it waits for; undefined: it has begun
   */
  async begin(consumer: string, holdsSomething: () => Promise<boolean>): Promise<string | undefined> {
    const reason = await this.#begin(consumer, false)
    // Asked while others may enter and leave: they take nothing from a log that the group has not begun with.
    if (reason !== this.#nobodyAppends || !(await holdsSomething())) return reason
    return await this.#begin(consumer, true)
  }

  #begin(consumer: string, holdsSomething: boolean): Promise<string | undefined> {
    return this.#change(async (tx) => {
      const earlier = await tx.query<{ log: LogName; state: string }>(
        `SELECT log, state FROM log_turns WHERE consumer = $2 AND log <> $1 AND state <> 'over'
         AND turn < (SELECT turn FROM log_turns WHERE log = $1 AND consumer = $2) ORDER BY turn`,
        [this.#log, consumer],
      )
      const open = earlier.find(({ state }) => state === 'open')
      if (open) return await waitsFor(tx, open.log)
      if (earlier.length === 0) return undefined
      if (!holdsSomething && !(await isWritten(tx, 'log = $1', this.#log))) return this.#nobodyAppends
      const over = earlier.map(({ log }) => log)
      await tx.query(`UPDATE log_turns SET state = 'over' WHERE consumer = $1 AND log = ANY ($2)`, [consumer, over])
      return undefined
    })
  }

  /** Another log is appended to, and nobody appends to ours: what it holds is to be taken, and then it is to be left. */
  async isFollowed(): Promise<boolean> {
    const [ours, others] = await Promise.all([
      isWritten(this.#postgres, 'log = $1', this.#log),
      isWritten(this.#postgres, 'log <> $1', this.#log),
    ])
    return others && !ours
  }

  /** All that this process was given to append is in the log, and it appends no more. */
  async endWriting(): Promise<void> {
    const sql = 'UPDATE log_users SET writes = false WHERE log = $1 AND name = $2'
    await this.#change((tx) => tx.query(sql, [this.#log, this.#name]))
  }

  /**
   * This process consumes no more. One that has not ended writing stays a user: its spool goes on at its next start. The last
   * of a group leaves the log empty, if it is.
   * @param isEmpty whether the group has taken all that is in the log; asked twice, the second time while nobody can enter
   */
  async leave(consumers: readonly string[], isEmpty: (consumer: string) => Promise<boolean>): Promise<void> {
    // A log that is slow to answer, or does not, is waited for before others have to wait.
    const answers = await Promise.allSettled(consumers.map(isEmpty))
    await this.#change(async (tx) => {
      const me = [this.#log, this.#name]
      await tx.query('DELETE FROM log_users WHERE log = $1 AND name = $2 AND NOT writes', me)
      await tx.query(`UPDATE log_users SET consumers = '{}' WHERE log = $1 AND name = $2`, me)
      for (const [i, consumer] of consumers.entries()) {
        const used = 'SELECT 1 FROM log_users WHERE log = $1 AND (writes OR $2 = ANY (consumers)) LIMIT 1'
        const users = await tx.query(used, [this.#log, consumer])
        if (users.length > 0) continue
        const answer = answers[i]!
        if (answer.status === 'rejected') throw answer.reason
        if (!answer.value || !(await isEmpty(consumer))) continue
        await tx.query(`UPDATE log_turns SET state = 'empty' WHERE log = $1 AND consumer = $2 AND state = 'open'`, [
          this.#log,
          consumer,
        ])
      }
    })
  }

  /** All logs that were ever used, with the turn of each group, and who uses them now. */
  async list(): Promise<{ turns: readonly TurnView[]; users: readonly UserView[] }> {
    const [turns, users] = await Promise.all([
      this.#postgres.query<TurnView>(
        'SELECT log, consumer, turn::float8, state FROM log_turns ORDER BY turn LIMIT 100',
      ),
      this.#postgres.query<UserView>(
        'SELECT log, name, writes, consumers, seen_at AS "seenAt" FROM log_users ORDER BY log, name LIMIT 1000',
      ),
    ])
    return { turns, users }
  }

  /** A process that is gone for good, with what was in its spool. @returns whether there was one of that name */
  async forgetUser(log: LogName, name: string): Promise<boolean> {
    const sql = 'DELETE FROM log_users WHERE log = $1 AND name = $2 RETURNING name'
    return (await this.#change((tx) => tx.query(sql, [log, name]))).length > 0
  }

  /** All that was in that log is elsewhere, or lost: no group takes anything from it any more. */
  async giveUp(log: LogName): Promise<void> {
    await this.#change(async (tx) => {
      await tx.query('DELETE FROM log_users WHERE log = $1', [log])
      await tx.query(`UPDATE log_turns SET state = 'over' WHERE log = $1`, [log])
    })
  }

  /** Says that this process is there. */
  async beSeen(): Promise<void> {
    const sql = 'UPDATE log_users SET seen_at = now() WHERE log = $1 AND name = $2'
    await this.#postgres.query(sql, [this.#log, this.#name])
  }

  #change<T>(change: (tx: PostgresTx) => Promise<T>): Promise<T> {
    return this.#postgres.tx(async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [lock])
      return await change(tx)
    })
  }
}

async function reopen(tx: PostgresTx, which: string, values: readonly unknown[]): Promise<void> {
  const last = `UPDATE log_turns SET state = 'open', turn = nextval('turn_numbers') WHERE state = 'over' AND ${which}`
  await tx.query(last, values)
  await tx.query(`UPDATE log_turns SET state = 'open' WHERE state = 'empty' AND ${which}`, values)
}

async function isWritten(tx: PostgresTx, which: string, log: LogName): Promise<boolean> {
  return (await tx.query(`SELECT 1 FROM log_users WHERE writes AND ${which} LIMIT 1`, [log])).length > 0
}

async function waitsFor(tx: PostgresTx, log: LogName): Promise<string> {
  const users = await tx.query<{ name: string }>('SELECT name FROM log_users WHERE log = $1 ORDER BY name LIMIT 5', [
    log,
  ])
  const names = users.map(({ name }) => name).join(', ')
  return users.length > 0
    ? `what is in the ${log} log comes first; it is used by ${names}: stop that when nothing is sent there any more`
    : `the ${log} log was left with something in it: start what consumed it again, and stop it when it has caught up`
}
