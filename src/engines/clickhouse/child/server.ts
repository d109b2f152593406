import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { Answer, contentType } from './answer.ts'
import { type Account, authenticate } from './auth.ts'
import { openBody, readFields, readStatement } from './body.ts'
import type { Connection, Engine, RunResult } from './engine.ts'
import { EngineError, toHttp } from './errors.ts'
import type { Fifos } from './fifo.ts'
import type { Gate } from './gate.ts'
import { type RequestParams, readParams } from './params.ts'
import { type Kill, killUntil, runOutput, runRows } from './run.ts'
import type { Slots } from './slots.ts'
import { classify, type Statement } from './statement.ts'

export interface ServerDeps {
  readonly engine: Engine
  readonly slots: Slots
  readonly fifos: Fifos
  readonly gate: Gate
  readonly account: Account
  readonly version: string
  readonly kill: Kill
}

/** How long the rest of a refused body is read, so that the client sees the answer and not a broken connection. */
const discardMs = 5_000

/** The ClickHouse HTTP interface (clickhouse.com/docs/interfaces/http), a connection of the engine for each request. */
export function createClickHouseServer(deps: ServerDeps): Server {
  const running = new Set<string>()
  const server = createServer({ keepAliveTimeout: 60_000, maxHeaderSize: 1 << 20 }, (request, response) => {
    new Exchange(deps, running, request, response).serve().catch(() => response.destroy())
  })
  server.requestTimeout = 0 // an insert may stream for as long as its client has rows
  return server
}

/** One request and its answer. */
class Exchange {
  readonly #deps: ServerDeps
  readonly #running: Set<string>
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  /** The log_comment by which the statement is found and killed. */
  readonly #mark: string = randomUUID()
  readonly #tag = this.#mark.replaceAll('-', '').slice(0, 16)
  #answer: Answer | undefined

  constructor(deps: ServerDeps, running: Set<string>, request: IncomingMessage, response: ServerResponse) {
    this.#deps = deps
    this.#running = running
    this.#request = request
    this.#response = response
  }

  async serve(): Promise<void> {
    const url = new URL(this.#request.url ?? '/', 'http://localhost')
    try {
      if (url.pathname === '/ping' || url.pathname === '/replicas_status') {
        this.#response.end('Ok.\n')
        return
      }
      authenticate(this.#deps.account, this.#request, url.searchParams)
      if (url.pathname !== '/') {
        this.#response.writeHead(404, { 'Content-Type': 'text/plain' }).end(`There is no handle ${url.pathname}\n`)
        return
      }
      await this.#handle(url.searchParams)
    } catch (error) {
      await this.#fail(error)
    } finally {
      this.#discardRest()
    }
  }

  async #handle(search: URLSearchParams): Promise<void> {
    const { gate } = this.#deps
    const headers = this.#request.headers
    const body = openBody(this.#request)
    const type = headers['content-type'] ?? ''
    const fields = /^multipart\/form-data/i.test(type) ? await readFields(body, type) : new Map<string, string>()
    const params = readParams(search, fields, headers, gate.isDeniedSetting)
    const queryId = params.queryId ?? this.#mark
    this.#response.setHeader('X-ClickHouse-Query-Id', queryId)
    this.#response.setHeader('X-ClickHouse-Server-Display-Name', 'splitstream')
    this.#response.setHeader('X-ClickHouse-Timezone', 'UTC')
    this.#response.setHeader('X-ClickHouse-Exception-Tag', this.#tag)
    const { statement, rows } = await this.#read(params, body, fields.size > 0)
    if (!statement) {
      this.#response.end('Ok.\n')
      return
    }
    if (/^(GET|HEAD)$/.test(this.#request.method ?? '') && statement.kind !== 'output') {
      throw new EngineError(
        164,
        'READONLY',
        'Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly',
      )
    }
    if (this.#running.has(queryId)) {
      throw new EngineError(
        216,
        'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING',
        `Query with id = ${queryId} is already running`,
      )
    }
    this.#running.add(queryId)
    try {
      await this.#inSlot(params, statement, rows)
    } finally {
      this.#running.delete(queryId)
    }
  }

  /** The statement, checked by the gate, and the rows that follow it. */
  async #read(
    params: RequestParams,
    body: Readable,
    bodyIsRead: boolean,
  ): Promise<{ statement?: Statement; rows: AsyncIterable<Uint8Array> }> {
    const { gate } = this.#deps
    if (params.query !== '') {
      const statement = classify(params.query, gate.check(params.query), params.defaultFormat)
      if (statement.kind === 'rows') return { statement, rows: body }
    }
    const text = bodyIsRead ? { sql: params.query, rows: undefined } : await readStatement(body, params.query)
    if (text.sql.trim() === '') return { rows: none() }
    const statement = classify(text.sql, gate.check(text.sql), params.defaultFormat)
    if (text.rows && statement.kind !== 'rows')
      throw new EngineError(62, 'SYNTAX_ERROR', 'Syntax error: rows without an INSERT')
    return { statement, rows: text.rows ?? none() }
  }

  async #inSlot(params: RequestParams, statement: Statement, rows: AsyncIterable<Uint8Array>): Promise<void> {
    const gone = new AbortController()
    const onClose = (): void => {
      if (!this.#response.writableFinished) gone.abort(new Error('the client has gone'))
    }
    this.#response.on('close', onClose)
    if (this.#response.destroyed) onClose()
    try {
      const giveBack = await this.#deps.slots.take(gone.signal)
      const pipe = this.#deps.fifos.lend()
      try {
        gone.signal.throwIfAborted()
        const connection = this.#deps.engine.connect(this.#mark)
        try {
          await this.#run(connection, params, statement, rows, pipe.path, gone.signal)
        } finally {
          await connection.close()
        }
      } finally {
        pipe.giveBack()
        giveBack()
      }
    } finally {
      this.#response.off('close', onClose)
    }
  }

  async #run(
    connection: Connection,
    params: RequestParams,
    statement: Statement,
    rows: AsyncIterable<Uint8Array>,
    pipe: string,
    gone: AbortSignal,
  ): Promise<void> {
    const kill = (): Promise<number> => this.#deps.kill(this.#mark)
    const format = statement.kind === 'output' ? statement.format : params.defaultFormat
    this.#response.setHeader('X-ClickHouse-Format', format)
    this.#response.setHeader('Content-Type', contentType(format))
    const answer = new Answer(this.#request, this.#response, {
      compress: params.compressAnswer,
      level: params.compressionLevel,
      whole: params.waitForEnd,
    })
    this.#answer = answer
    if (statement.kind === 'rows') {
      // A client that goes after its last byte gets what it asked for: only it does not learn the outcome.
      const done = await runRows(connection, statement, params.prelude, pipe, rows, kill)
      this.#summarize(done, true)
      await answer.end()
      return
    }
    const work =
      statement.kind === 'output'
        ? runOutput(connection, statement, params.prelude, pipe, answer)
        : connection.run(params.prelude + statement.sql)
    const onGone = (): void => void killUntil(kill, work)
    gone.addEventListener('abort', onGone, { once: true })
    if (gone.aborted) onGone()
    const done = await work.finally(() => gone.removeEventListener('abort', onGone))
    if (!answer.begun) this.#summarize(done, statement.kind === 'command')
    if (statement.kind === 'command' && done.bytes.length > 0) await answer.write(done.bytes)
    await answer.end()
  }

  #summarize(done: RunResult, writes: boolean): void {
    const [rows, bytes] = [String(done.rowsRead), String(done.bytesRead)]
    const summary = {
      read_rows: rows,
      read_bytes: bytes,
      written_rows: writes ? rows : '0',
      written_bytes: writes ? bytes : '0',
      total_rows_to_read: '0',
      result_rows: rows,
      result_bytes: bytes,
      elapsed_ns: String(Math.round(done.elapsed * 1e9)),
    }
    this.#response.setHeader('X-ClickHouse-Summary', JSON.stringify(summary))
  }

  async #fail(error: unknown): Promise<void> {
    const { status, number, body } = toHttp(error, this.#deps.version)
    if (this.#response.destroyed) return
    if (this.#response.headersSent) {
      await this.#answer?.fail(body, this.#tag)
      return
    }
    this.#response.removeHeader('Content-Encoding')
    if (!this.#request.complete) this.#response.setHeader('Connection', 'close')
    this.#response.writeHead(status, {
      'Content-Type': 'text/plain; charset=UTF-8',
      'X-ClickHouse-Exception-Code': number,
    })
    this.#response.end(body)
  }

  #discardRest(): void {
    if (this.#request.complete || this.#request.destroyed) return
    this.#request.on('error', () => undefined)
    this.#request.unpipe()
    this.#request.resume()
    const timer = setTimeout(() => this.#request.destroy(), discardMs)
    this.#request.once('close', () => clearTimeout(timer))
  }
}

async function* none(): AsyncGenerator<Uint8Array> {}
