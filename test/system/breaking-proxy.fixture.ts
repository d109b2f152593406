import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What becomes of an answer: more parameters for the engine, or an end after so many bytes. */
export interface Breach {
  readonly parameters?: Readonly<Record<string, string>>
  readonly cut?: { readonly afterBytes: number; readonly how: 'ended' | 'reset' }
}

/** A proxy before the HTTP interface of ClickHouse that spoils the first answer to one kind of statement. */
export interface BreakingProxy {
  readonly port: number
  /** How many answers it has spoilt. */
  readonly breaches: number
  /** Spoils the answer to the next statement that begins so. */
  arm(statement: string, breach: Breach): void
  stop(): Promise<void>
}

export async function startBreakingProxy(target: string): Promise<BreakingProxy> {
  let armed: { statement: string; breach: Breach } | undefined
  let breaches = 0

  const forward = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await incoming.toArray())
    const url = new URL(incoming.url ?? '/', target)
    let breach: Breach | undefined
    if (armed && body.toString('latin1').startsWith(armed.statement)) {
      breach = armed.breach
      armed = undefined
      breaches++
    }
    for (const [name, value] of Object.entries(breach?.parameters ?? {})) url.searchParams.set(name, value)
    const { 'transfer-encoding': _, ...rest } = incoming.headers
    const headers = { ...rest, 'content-length': body.length }
    const upstream = request(url, { method: incoming.method ?? 'GET', headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => outgoing.destroy())
      if (breach?.cut) cutOff(answer, outgoing, breach.cut)
      else answer.pipe(outgoing)
    })
    upstream.on('error', () => outgoing.destroy())
    outgoing.on('close', () => upstream.destroy())
    upstream.end(body)
  }

  const server = createServer((incoming, outgoing) => {
    forward(incoming, outgoing).catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    get breaches() {
      return breaches
    },
    arm: (statement, breach) => {
      armed = { statement, breach }
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function cutOff(
  answer: IncomingMessage,
  outgoing: ServerResponse,
  { afterBytes, how }: NonNullable<Breach['cut']>,
): void {
  let left = afterBytes
  answer.on('data', (chunk: Buffer) => {
    if (left <= 0) return
    const part = chunk.subarray(0, left)
    left -= part.length
    // Once the bytes have left: the client has begun to read when the end comes.
    outgoing.write(part, () => {
      if (left > 0) return
      if (how === 'ended') outgoing.end()
      else outgoing.destroy()
    })
  })
  answer.on('end', () => {
    if (left > 0) outgoing.end()
  })
}
