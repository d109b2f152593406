import { AppError, type ErrorCode } from '@splitstream/kernel'
import pg from 'pg'

/**
 * What is known about the work of a failed statement: `none` = it certainly had no effect; `unknown` = the connection
 * went away while it ran, and a commit may have taken effect. In `details.outcome` of each error of the driver.
 */
export type Outcome = 'none' | 'unknown'

/** SQLSTATE → code, most specific first. https://www.postgresql.org/docs/18/errcodes-appendix.html */
const CODES: readonly (readonly [prefix: string, code: ErrorCode, message: string, outcome: Outcome])[] = [
  ['23505', 'CONFLICT', 'A row with this key exists', 'none'],
  ['23P01', 'CONFLICT', 'A row excludes this one', 'none'],
  ['40', 'UNAVAILABLE', 'Postgres rolled the transaction back: it can be tried again', 'none'],
  ['55P03', 'UNAVAILABLE', 'A row lock was not granted in time', 'none'],
  ['57014', 'DEADLINE_EXCEEDED', 'The statement took too long', 'none'],
  ['57P05', 'UNAVAILABLE', 'The connection was idle for too long', 'none'],
  ['57P', 'UNAVAILABLE', 'Postgres is stopping or starting', 'unknown'],
  ['25P03', 'UNAVAILABLE', 'The transaction was idle for too long', 'none'],
  ['53100', 'DISK_FULL', 'The disk of Postgres is full', 'none'],
  ['53300', 'OVERLOADED', "Postgres takes no more connections: raise max_connections, or the role's limit", 'none'],
  ['53', 'OVERLOADED', 'Postgres is out of resources', 'none'],
  ['08', 'UNAVAILABLE', 'The connection to Postgres is lost', 'unknown'],
  ['58', 'UNAVAILABLE', 'Postgres cannot reach its disk', 'unknown'],
  ['28', 'CONFIG_INVALID', 'Postgres refused the login', 'none'],
  ['3D', 'CONFIG_INVALID', 'The Postgres database does not exist', 'none'],
]

/**
 * The catalogue error for anything that `pg` throws. The message holds no SQL and no values; `cause` is the original and
 * `details.sqlState` its SQLSTATE. Whatever is not an answer of the server is a lost connection.
 */
export function toAppError(error: unknown, lostOutcome: Outcome = 'unknown'): AppError {
  if (error instanceof AppError) return error
  if (!(error instanceof pg.DatabaseError) || !error.code) {
    const details = { outcome: lostOutcome }
    return new AppError('UNAVAILABLE', 'The connection to Postgres is lost', { cause: error, details })
  }
  const sqlState = error.code
  const row = CODES.find(([prefix]) => sqlState.startsWith(prefix))
  if (!row) {
    const details = { sqlState, outcome: 'none' }
    return new AppError('INTERNAL', `Postgres refused the statement (${sqlState})`, { cause: error, details })
  }
  const [, code, message, outcome] = row
  // A session that dies with its error may die after the commit was written: only then is the row's `none` too sure.
  const known = lostOutcome === 'none' ? 'none' : isDeadly(error) ? lostOutcome : outcome
  return new AppError(code, message, { cause: error, details: { sqlState, outcome: known } })
}

function isDeadly(error: pg.DatabaseError): boolean {
  return error.severity === 'FATAL' || error.severity === 'PANIC'
}

/** Whether the connection is of no more use after this error. */
export function breaksConnection(error: unknown): boolean {
  return !(error instanceof pg.DatabaseError) || isDeadly(error) || /^(08|57P|58|25P03|XX)/.test(error.code ?? '08')
}
