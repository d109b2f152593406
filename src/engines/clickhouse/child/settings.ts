import { EngineError } from './errors.ts'

/** Parameters of the HTTP interface that are not settings. */
const reserved = new Set([
  'query',
  'database',
  'query_id',
  'default_format',
  'user',
  'password',
  'compress',
  'decompress',
  'role',
  'enable_http_compression',
  'http_zlib_compression_level',
  'send_progress_in_http_headers',
  'wait_end_of_query',
  'http_headers_progress_interval_ms',
  'buffer_size',
  'log_comment',
]) // prettier-ignore

const name = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * The settings and query parameters of a request as `SET …`, and the statement that takes the settings back: a session
 * outlives the request. `mark` is the log_comment by which the query is found and killed.
 */
export function sessionStatements(url: URLSearchParams, mark: string): { set: string; reset: string } {
  const set = [`log_comment = ${literal(mark)}`]
  const reset: string[] = []
  for (const [key, value] of url) {
    if (reserved.has(key)) continue
    if (key === 'session_id' || key === 'session_timeout' || key === 'session_check') {
      throw new EngineError(36, 'BAD_ARGUMENTS', 'The embedded engine has no client sessions')
    }
    if (!name.test(key)) throw new EngineError(36, 'BAD_ARGUMENTS', 'A setting has a malformed name')
    set.push(`${key} = ${literal(value)}`)
    if (!key.startsWith('param_')) reset.push(`${key} = DEFAULT`)
  }
  return { set: `SET ${set.join(', ')}`, reset: reset.length > 0 ? `SET ${reset.join(', ')}` : '' }
}

export function literal(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}

/** A database name, quoted. @throws EngineError */
export function useStatement(database: string | null): string {
  return `USE \`${(database ?? 'default').replace(/[\\`]/g, '\\$&')}\``
}
