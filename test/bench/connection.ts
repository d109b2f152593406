import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Answer {
  readonly status: number
  /** The answer as it came: head and body. */
  readonly text: string
}

const headEnd = Buffer.from('\r\n\r\n')

/** The bytes of one POST to /v1/events: built ahead, so that sending is one write. */
export function postBytes(key: string, mediaType: string, body: Buffer, query = ''): Buffer {
  const head =
    `POST /v1/events${query} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${key}\r\n` +
    `Content-Type: ${mediaType}\r\nContent-Length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), body])
}

/**
 * One keep-alive HTTP/1.1 connection, one request at a time. Not node:http: the load shares the cores with what it
 * measures, so it has to be much lighter than the server. Understands answers with a Content-Length only.
 */
export class Connection {
  readonly #socket: Socket
  #waiting: PromiseWithResolvers<Answer> | undefined
  #received: Buffer | undefined
  /** Bytes of the whole answer; 0 until its head is there. */
  #expected = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the server closed the connection')))
  }

  static async open(url: string): Promise<Connection> {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    await once(socket, 'connect')
    return new Connection(socket)
  }

  static openMany(url: string, count: number): Promise<Connection[]> {
    return Promise.all(Array.from({ length: count }, () => Connection.open(url)))
  }

  /** @throws Error when the connection breaks. */
  send(request: Buffer): Promise<Answer> {
    this.#waiting = Promise.withResolvers<Answer>()
    this.#socket.write(request)
    return this.#waiting.promise
  }

  close(): void {
    this.#socket.destroy()
  }

  #onData(chunk: Buffer): void {
    const all = this.#received ? Buffer.concat([this.#received, chunk]) : chunk
    if (this.#expected === 0) {
      const end = all.indexOf(headEnd)
      const length = end < 0 ? undefined : /\r\ncontent-length: *(\d+)/i.exec(all.toString('latin1', 0, end))?.[1]
      if (end >= 0 && length === undefined) return this.#fail(new Error('an answer without Content-Length'))
      if (end >= 0) this.#expected = end + headEnd.length + Number(length)
    }
    if (this.#expected === 0 || all.length < this.#expected) {
      this.#received = all
      return
    }
    const text = all.toString('latin1', 0, this.#expected)
    this.#received = undefined
    this.#expected = 0
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve({ status: Number(text.slice(9, 12)), text })
  }

  #fail(error: Error): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(error)
  }
}
