import { type Logger, silentLogger, systemClock } from '@splitstream/kernel'
import type { Instance } from '../../../discovery/resolver.ts'
import { callOverHttp } from '../client.ts'
import { type Small, secret, smallPort } from '../http.fixture.ts'
import { ConnectionPool } from '../pool.ts'
import { createPortServer, servePort } from '../server.ts'
import type { Issued } from './authority.fixture.ts'
import { readCertificate } from './certificate.ts'
import type { Credentials } from './credentials.ts'
import { TlsListener } from './listener.ts'
import { Peers } from './peers.ts'
import type { CurrentCredentials } from './rotation.ts'

/** Credentials that a test changes. */
export class Held implements CurrentCredentials {
  #current: Credentials
  readonly #listeners: ((change: { readonly trust: boolean }) => void)[] = []

  constructor(issued: Issued, ca: string) {
    this.#current = credentialsOf(issued, ca)
  }

  get current(): Credentials {
    return this.#current
  }

  onChange(listener: (change: { readonly trust: boolean }) => void): void {
    this.#listeners.push(listener)
  }

  become(issued: Issued, ca: string): void {
    const trust = ca !== this.#current.ca
    this.#current = credentialsOf(issued, ca)
    for (const listener of this.#listeners) listener({ trust })
  }
}

const credentialsOf = ({ cert, key }: Issued, ca: string): Credentials => ({
  files: { cert: '', key: '', ca: '' },
  cert,
  key,
  ca,
  certificate: readCertificate(cert),
})

export interface ServeOptions {
  readonly names?: readonly string[]
  readonly withSecret?: boolean
  readonly partingMs?: number
}

/** Serves smallPort over mutual TLS. `connections`: those whose handshake was done. */
export async function serveMutual(credentials: CurrentCredentials, small: Small, o: ServeOptions = {}) {
  const peers = new Peers(o.names ?? [])
  const warned: unknown[] = []
  const logger: Logger = { ...silentLogger, warn: (_, fields) => warned.push(fields?.reason) }
  const common = { clock: systemClock, logger }
  const ports = createPortServer({
    ...common,
    ports: [servePort(smallPort, () => small)],
    refusal: peers.refusal,
    ...(o.withSecret && { secret }),
  })
  const listener = new TlsListener({
    ...common,
    address: { host: '127.0.0.1', port: 0 },
    credentials,
    peers,
    handler: ports.handler,
    ...(o.partingMs !== undefined && { partingMs: o.partingMs }),
  })
  const { url } = await listener.start()
  const stop = async (): Promise<void> => {
    await ports.stop(100)
    await listener.stop(100)
  }
  return { origin: url, warned, stop }
}

/** Calls it. @param credentials undefined: without a certificate */
export function callerOf(instance: Instance, credentials: CurrentCredentials | undefined, secret?: string) {
  const pool = new ConnectionPool({}, credentials)
  const instances = { current: () => [instance], report() {} }
  const port = callOverHttp(smallPort, { instances, pool, secret, clock: systemClock })
  return { port, caller: { pool, secret }, close: async () => pool.close() }
}
