import { EngineError } from './errors.ts'

/** Parameters of the HTTP interface that are not settings of the engine. */
const reserved = new Set([
  'query',
  'database',
  'query_id',
  'default_format',
  'user',
  'password',
  'quota_key',
  'stacktrace',
  'enable_http_compression',
  'http_zlib_compression_level',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'wait_end_of_query',
  'buffer_size',
  'log_comment',
  'http_response_buffer_size',
  'add_http_cors_header',
  'close_session',
  'log_queries',
]) // prettier-ignore

const refused = new Set(['session_id', 'session_timeout', 'session_check', 'role', 'compress', 'decompress'])

const name = /^[A-Za-z_][A-Za-z0-9_.]*$/

export interface RequestParams {
  readonly query: string
  readonly queryId: string | undefined
  readonly database: string | undefined
  readonly defaultFormat: string
  /** The client takes a compressed answer. */
  readonly compressAnswer: boolean
  readonly compressionLevel: number
  /** The whole answer is to be ready before its first byte is sent. */
  readonly waitForEnd: boolean
  /** `SET …; USE …;`, to be put before the statement: its settings, query parameters and database. */
  readonly prelude: string
}

/** @param more fields of a multipart body, which count like parameters of the URL. @throws EngineError */
export function readParams(
  url: URLSearchParams,
  more: ReadonlyMap<string, string>,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  isDenied: (setting: string) => boolean,
): RequestParams {
  const all = new URLSearchParams([...url, ...more])
  const assignments: string[] = []
  for (const [key, value] of all) {
    if (refused.has(key)) {
      // compress=0 and the like ask for nothing.
      if (/^(0|false|)$/.test(value)) continue
      throw new EngineError(
        48,
        'NOT_IMPLEMENTED',
        `The embedded engine has no ${key.replace(/_.*/, '')} (parameter ${key})`,
      )
    }
    if (reserved.has(key)) continue
    if (!name.test(key)) throw new EngineError(115, 'UNKNOWN_SETTING', `A setting or parameter has a malformed name`)
    if (!key.startsWith('param_') && isDenied(key)) {
      throw new EngineError(497, 'ACCESS_DENIED', `The setting ${key} is not allowed in the embedded engine`)
    }
    assignments.push(`${key} = ${literal(value)}`)
  }
  const database = all.get('database') ?? headers['x-clickhouse-database']?.toString()
  const set = assignments.length > 0 ? `SET ${assignments.join(', ')}; ` : ''
  const use = database && database !== 'default' ? `USE ${identifier(database)}; ` : ''
  const format = all.get('default_format') ?? headers['x-clickhouse-format']?.toString() ?? 'TabSeparated'
  if (!/^\w+$/.test(format)) throw new EngineError(73, 'UNKNOWN_FORMAT', 'Unknown format')
  return {
    query: all.get('query') ?? '',
    queryId: all.get('query_id') || undefined,
    database,
    defaultFormat: format,
    compressAnswer: isOn(all.get('enable_http_compression')),
    compressionLevel: Math.min(9, Math.max(1, Number(all.get('http_zlib_compression_level')) || 1)),
    waitForEnd: isOn(all.get('wait_end_of_query')),
    prelude: set + use,
  }
}

const isOn = (value: string | null): boolean => value !== null && !/^(0|false|)$/.test(value)

/**
 * A SQL literal of any text. A query parameter keeps the form in which it came: the engine reads `SET param_x` as it reads
 * a parameter of the URL (escaped as in TabSeparated).
 */
export function literal(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&').replaceAll('\0', '\\0')}'`
}

export function identifier(text: string): string {
  return `\`${text.replace(/[\\`]/g, '\\$&').replaceAll('\0', '\\0')}\``
}
