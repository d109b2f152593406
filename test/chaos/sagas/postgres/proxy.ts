import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type Message, Messages, type Statement, Statements } from './messages.ts'

/**
 * What to do with one statement. `before` runs while Postgres has not seen it: false throws it away, with its connection.
 * `after` runs when Postgres has answered (so it is done, and durable if it was a commit) and the client has not heard.
 * `later` runs when the answer has left for the client.
 */
export interface Interception {
  before?(): Promise<boolean>
  after?(answer: readonly Message[]): Promise<boolean>
  later?(): void
}

/** @param inTransaction whether it follows a BEGIN */
export type Intercept = (sql: string, inTransaction: boolean) => Interception | undefined

/** Stands between one process and Postgres, and can interfere at the boundaries of statements. */
export interface PostgresProxy {
  readonly url: string
  /** Asked for each statement. */
  intercept: Intercept | undefined
  stop(): Promise<void>
}

/** @param target URL of the real one; that of the proxy differs in its port */
export async function startPostgresProxy(target: string): Promise<PostgresProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket.setNoDelay())
      socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket))
    }
    new Connection(client, upstream, (...said) => proxy.intercept?.(...said))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(target)
  url.port = String((server.address() as AddressInfo).port)
  const proxy: PostgresProxy = {
    url: url.href,
    intercept: undefined,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}

/** In ReadyForQuery: there is no transaction. */
const idle = 'I'.charCodeAt(0)

/** Postgres answers statements one by one, and so they are passed on. */
class Connection {
  readonly #client: Socket
  readonly #upstream: Socket
  readonly #ask: Intercept
  readonly #queue: Statement[] = []
  #passing = false
  #inTransaction = false
  /** Gathers the answer of a statement that is interfered with, until Postgres is ready for the next one. */
  #gather: { readonly answer: Message[]; done(): void } | undefined

  constructor(client: Socket, upstream: Socket, ask: Intercept) {
    this.#client = client
    this.#upstream = upstream
    this.#ask = ask
    const said = new Messages(true)
    const statements = new Statements()
    client.on('data', (chunk: Buffer) => {
      for (const message of said.cut(chunk)) {
        const statement = statements.add(message)
        if (statement) this.#queue.push(statement)
      }
      if (!this.#passing) void this.#pass()
    })
    const answered = new Messages(false)
    upstream.on('data', (chunk: Buffer) => {
      client.cork()
      for (const message of answered.cut(chunk)) this.#answer(message)
      client.uncork()
    })
    // A statement that is held outlives its client, as one that is on its way in a network does.
    client.on('close', () => void (this.#passing || upstream.end()))
    upstream.on('close', () => client.destroy())
  }

  async #pass(): Promise<void> {
    this.#passing = true
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      const interception = this.#ask(next.sql, this.#inTransaction)
      if (interception?.before && !(await interception.before())) {
        this.#upstream.destroy()
        return
      }
      const answered = interception && this.#await(interception)
      this.#upstream.write(Buffer.concat(next.bytes))
      await answered
    }
    this.#passing = false
    if (this.#client.destroyed) this.#upstream.end()
  }

  async #await({ after, later }: Interception): Promise<void> {
    const answer: Message[] = []
    const ready = Promise.withResolvers<void>()
    if (this.#upstream.closed) ready.resolve()
    this.#upstream.once('close', ready.resolve)
    this.#gather = { answer, done: ready.resolve }
    await ready.promise
    this.#upstream.off('close', ready.resolve)
    this.#gather = undefined
    const passOn = (await after?.(answer)) ?? true
    if (!passOn) this.#client.destroy()
    else if (!this.#client.destroyed) {
      this.#client.write(Buffer.concat(answer.map(({ bytes }) => bytes)))
      later?.()
    }
  }

  #answer(message: Message): void {
    if (message.type === 'Z') this.#inTransaction = message.bytes[5] !== idle
    const gather = this.#gather
    if (!gather) return void (this.#client.destroyed || this.#client.write(message.bytes))
    gather.answer.push(message)
    if (message.type === 'Z') gather.done()
  }
}
