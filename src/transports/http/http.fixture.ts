import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  AppError,
  type Call,
  type CallPort,
  codeOf,
  defineCallPort,
  type Logger,
  silentLogger,
  systemCall,
  systemClock,
} from '@splitstream/kernel'
import type { Instance, Outcome } from '../../discovery/resolver.ts'
import type { Caller } from './caller.ts'
import { callOverHttp, type HttpCallOptions } from './client.ts'
import { ConnectionPool } from './pool.ts'
import { createPortServer, type PortServer, type PortServerOptions, servePort } from './server.ts'

export interface Small {
  echo(input: unknown, call: Call): Promise<unknown>
  once(input: unknown, call: Call): Promise<unknown>
  items(input: unknown, call: Call): Promise<AsyncIterable<unknown>>
}

export const smallPort = defineCallPort<Small>('test.small', 2, {
  echo: { idempotent: true, budgetMs: 1_000 },
  once: { idempotent: false, budgetMs: 1_000 },
  items: { idempotent: true, budgetMs: 1_000, streams: true },
})

export const secret = 'a secret of twenty characters, ä'

export const callWith = (budgetMs = 5_000, more: Partial<Call> = {}): Call => ({
  ...systemCall(systemClock, budgetMs, new AbortController().signal, 'acme'),
  ...more,
})

const echoing: Small = {
  echo: async (input) => input,
  once: async (input) => input,
  items: async () => numbers(),
}

async function* numbers(): AsyncGenerator<number> {
  for (let i = 0; ; i++) yield i
}

export interface Listening {
  readonly origin: string
  readonly server: Server
  close(): Promise<void>
}

/** Everything that a test has opened; `closeAll` after each. */
const opened: { close(): Promise<void> }[] = []

export async function closeAll(): Promise<void> {
  for (const one of opened.splice(0)) await one.close()
}

export async function listen(listener: RequestListener): Promise<Listening> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
  const listening = { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, close }
  opened.push(listening)
  return listening
}

/** A port server that listens. */
export async function serveSmall(
  implementation: Partial<Small> = {},
  options: Partial<PortServerOptions> = {},
): Promise<Listening & { readonly ports: PortServer; readonly logged: string[] }> {
  const logged: string[] = []
  const logger: Logger = { ...silentLogger, error: (message, fields) => logged.push(`${message} ${fields?.error}`) }
  const small = { ...echoing, ...implementation }
  const ports = createPortServer({
    ports: [servePort(smallPort, () => small)],
    secret,
    clock: systemClock,
    logger,
    ...options,
  })
  return { ...(await listen(ports.handler)), ports, logged }
}

export interface Client {
  readonly port: Small
  /** The same connections, for another port. */
  bind<P extends object>(port: CallPort<P>): P
  readonly reports: [string, Outcome][]
}

export function clientOf(origins: readonly string[], options: Partial<HttpCallOptions> = {}): Client {
  const reports: [string, Outcome][] = []
  const all: Instance[] = origins.map((origin) => ({ origin }))
  const pool = new ConnectionPool()
  opened.push({ close: async () => pool.close() })
  const instances = {
    current: () => all,
    report: ({ origin }: Instance, outcome: Outcome) => void reports.push([origin, outcome]),
  }
  const complete = { instances, pool, secret, clock: systemClock, ...options }
  return { port: callOverHttp(smallPort, complete), bind: (port) => callOverHttp(port, complete), reports }
}

export function callerWith(shown: string): Caller {
  const pool = new ConnectionPool()
  opened.push({ close: async () => pool.close() })
  return { pool, secret: shown }
}

/** An address where nobody listens. */
export async function deadOrigin(): Promise<string> {
  const { origin, close } = await listen(() => {})
  await close()
  opened.pop()
  return origin
}

export async function failureOf(promise: Promise<unknown>): Promise<AppError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof AppError) return error
    throw new Error(`Not an AppError (${codeOf(error)})`, { cause: error })
  }
  throw new Error('It did not fail')
}
