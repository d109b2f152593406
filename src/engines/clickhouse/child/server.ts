import { randomUUID, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import type { Session } from 'chdb'
import { EngineError, toHttp } from './errors.ts'
import type { Gate } from './gate.ts'
import { fromFile, spool, takesBody } from './insert.ts'
import type { SessionPool } from './sessions.ts'
import { sessionStatements, useStatement } from './settings.ts'
import type { Token } from './tokens.ts'

export interface ServerDeps {
  readonly sessions: SessionPool
  readonly gate: Gate
  readonly username: string
  readonly password: string
  /** For spooled inserts; private to this process. */
  readonly runDirectory: string
  /** Stops the query with this log_comment. */
  kill(mark: string): Promise<void>
}

const maxStatementBytes = 16 << 20
const killEveryMs = 50

/** The ClickHouse HTTP interface (clickhouse.com/docs/interfaces/http) over the pool of sessions. */
export function createClickHouseServer(deps: ServerDeps): Server {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    handle(deps, request, response).catch((error: unknown) => fail(response, error))
  })
  server.requestTimeout = 0
  return server
}

async function handle(deps: ServerDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  if (url.pathname === '/ping') {
    response.end('Ok.\n')
    return
  }
  if (!authorized(deps, request)) throw new EngineError(516, 'AUTHENTICATION_FAILED', 'Authentication failed')

  const body: Readable = request.headers['content-encoding'] === 'gzip' ? request.pipe(createGunzip()) : request
  const inUrl = url.searchParams.get('query') ?? ''
  const tokensOfUrl = inUrl === '' ? [] : deps.gate(inUrl)
  const mark = randomUUID()
  response.setHeader('X-ClickHouse-Query-Id', url.searchParams.get('query_id') ?? mark)
  response.setHeader('X-ClickHouse-Server-Display-Name', 'splitstream-embedded')
  response.setHeader('X-ClickHouse-Timezone', 'UTC')

  if (takesBody(tokensOfUrl)) return insert(deps, { url, sql: inUrl, tokens: tokensOfUrl, mark }, body, response)
  const rest = await readStatement(body)
  const sql = inUrl + rest
  const tokens = rest === '' ? tokensOfUrl : deps.gate(sql)
  if (takesBody(tokens)) {
    throw new EngineError(
      36,
      'BAD_ARGUMENTS',
      'Send an INSERT with FORMAT in the parameter "query" and its rows in the body',
    )
  }
  await run(deps, { url, sql, tokens, mark }, request, response)
}

interface Statement {
  readonly url: URL
  readonly sql: string
  readonly tokens: readonly Token[]
  readonly mark: string
}

/** Once it runs, an insert is finished even when the client has gone: its outcome is unknown to the client, not to us. */
async function insert(deps: ServerDeps, statement: Statement, body: Readable, response: ServerResponse): Promise<void> {
  const file = await spool(body, deps.runDirectory)
  try {
    await deps.sessions.with((session) =>
      inSession(session, statement, async () => {
        const from = performance.now()
        const result = await session.queryAsync(fromFile(statement.sql, statement.tokens, file.path))
        response.setHeader('X-ClickHouse-Summary', summary(result.rowsRead, result.bytesRead, performance.now() - from))
      }),
    )
  } finally {
    await file.remove()
  }
  response.end()
}

async function run(
  deps: ServerDeps,
  statement: Statement,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const format = formatOf(statement)
  await deps.sessions.with((session) => {
    const stopKilling = killWhenClosed(deps, statement.mark, response)
    return inSession(session, statement, async () => {
      if (format === undefined) {
        await session.queryAsync(statement.sql)
        response.setHeader('X-ClickHouse-Summary', summary(0, 0, 0))
        response.end()
        return
      }
      const chunks = session.queryStream(statement.sql, { format })[Symbol.asyncIterator]()
      const first = await chunks.next()
      response.setHeader('X-ClickHouse-Format', format)
      response.setHeader('X-ClickHouse-Summary', summary(0, 0, 0))
      response.setHeader('Content-Type', contentType(format))
      const gzip =
        statement.url.searchParams.get('enable_http_compression') === '1' &&
        /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
      if (gzip) response.setHeader('Content-Encoding', 'gzip')
      const bytes = async function* (): AsyncGenerator<Uint8Array> {
        for (let chunk = first; !chunk.done; chunk = await chunks.next()) yield chunk.value.raw()
      }
      await (gzip ? pipeline(bytes, createGzip({ level: 1 }), response) : pipeline(bytes, response))
    }).finally(stopKilling)
  })
}

/** Gives the session the statement's database, settings and parameters, and takes the settings back afterwards. */
async function inSession(session: Session, statement: Statement, work: () => Promise<void>): Promise<void> {
  const { set, reset } = sessionStatements(statement.url.searchParams, statement.mark)
  try {
    await session.queryAsync(useStatement(statement.url.searchParams.get('database')))
    await session.queryAsync(set)
    await work()
  } finally {
    if (reset !== '') await session.queryAsync(reset)
  }
}

/** Until told to stop: once the client has gone, kills the query again and again (it may not have begun yet). */
function killWhenClosed(deps: ServerDeps, mark: string, response: ServerResponse): () => void {
  let timer: NodeJS.Timeout | undefined
  const onClose = (): void => {
    if (response.writableFinished) return
    const kill = (): void => {
      deps.kill(mark).catch(() => undefined) // the next tick tries again
    }
    kill()
    timer = setInterval(kill, killEveryMs)
  }
  response.on('close', onClose)
  return () => {
    response.off('close', onClose)
    clearInterval(timer)
  }
}

async function readStatement(body: Readable): Promise<string> {
  let size = 0
  body.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > maxStatementBytes) body.destroy(new EngineError(62, 'SYNTAX_ERROR', 'The statement is too long'))
  })
  return (await buffer(body)).toString('utf8')
}

/** The output format of a statement that has an output; undefined for commands. */
function formatOf({ tokens, url }: Statement): string | undefined {
  const first = tokens.find((token) => token.text !== '(')?.text.toLowerCase() ?? ''
  if (!/^(select|with|show|describe|desc|explain|exists|check)$/.test(first)) return undefined
  const at = tokens.findLastIndex((token) => token.kind === 'word' && token.text.toLowerCase() === 'format')
  return tokens[at + 1]?.kind === 'word' && at >= 0
    ? tokens[at + 1]!.text
    : (url.searchParams.get('default_format') ?? 'TabSeparated')
}

function contentType(format: string): string {
  if (/^JSON/.test(format)) return 'application/json; charset=UTF-8'
  if (/^CSV/.test(format)) return 'text/csv; charset=UTF-8'
  if (/^(TSV|TabSeparated)/.test(format)) return 'text/tab-separated-values; charset=UTF-8'
  return 'application/octet-stream'
}

function summary(rows: number, bytes: number, ms: number): string {
  const [n, size] = [String(rows), String(bytes)]
  return JSON.stringify({
    read_rows: n,
    read_bytes: size,
    written_rows: n,
    written_bytes: size,
    total_rows_to_read: '0',
    result_rows: n,
    result_bytes: size,
    elapsed_ns: String(Math.round(ms * 1e6)),
  })
}

function authorized(deps: ServerDeps, request: IncomingMessage): boolean {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1]
  const header = `${request.headers['x-clickhouse-user'] ?? ''}:${request.headers['x-clickhouse-key'] ?? ''}`
  const given = Buffer.from(basic ? Buffer.from(basic, 'base64').toString('utf8') : header)
  const wanted = Buffer.from(`${deps.username}:${deps.password}`)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

function fail(response: ServerResponse, error: unknown): void {
  const { status, number, body } = toHttp(error)
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  response.removeHeader('Content-Encoding')
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=UTF-8', 'X-ClickHouse-Exception-Code': number })
  response.end(body)
}
