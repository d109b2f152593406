import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * What becomes of a request: `hang` holds it until the fault is over, and then lets it go on; `refuse` cuts its connection;
 * parameters are added to the engine's settings.
 */
export type Fault = 'hang' | 'refuse' | { readonly parameters: Readonly<Record<string, string>> }

/** A proxy before the HTTP interface of ClickHouse that faults requests for as long as it is told to. */
export interface FaultProxy {
  readonly origin: string
  /** Requests that were faulted since the last `set`. */
  readonly hits: number
  /** Until the next `set`. @param only statements that begin so; all requests, pings too, when not given */
  set(fault: Fault | undefined, only?: string): void
  stop(): Promise<void>
}

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  let fault: Fault | undefined
  let only: string | undefined
  let hits = 0
  let over = Promise.withResolvers<void>()

  const forward = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await incoming.toArray())
    const url = new URL(incoming.url ?? '/', target)
    const statement = `${url.searchParams.get('query') ?? ''}${body.toString('latin1', 0, 200)}`.trimStart()
    if (fault !== undefined && (only === undefined || statement.startsWith(only))) {
      hits++
      if (fault === 'refuse') return void outgoing.destroy()
      if (fault === 'hang') await over.promise
      else for (const [name, value] of Object.entries(fault.parameters)) url.searchParams.set(name, value)
    }
    const { 'transfer-encoding': _, ...rest } = incoming.headers
    const headers = { ...rest, 'content-length': body.length }
    const upstream = request(url, { method: incoming.method ?? 'GET', headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => outgoing.destroy())
      answer.pipe(outgoing)
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
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get hits() {
      return hits
    },
    set: (next, statements) => {
      fault = next
      only = statements
      hits = 0
      over.resolve()
      over = Promise.withResolvers()
    },
    stop: async () => {
      over.resolve()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
