import type { RequestListener } from 'node:http'
import type { Clock, Logger, Metrics } from '@splitstream/kernel'
import type { Config } from './config.ts'
import type { InFlight } from './edge/in-flight.ts'
import { createPortServer, type ServedPort } from './transports/http/server.ts'
import { TlsListener } from './transports/http/tls/listener.ts'
import { Peers } from './transports/http/tls/peers.ts'
import type { CurrentCredentials } from './transports/http/tls/rotation.ts'

export interface InternalOptions {
  readonly config: Config
  readonly ports: readonly ServedPort[]
  /** With them, calls are taken over mutual TLS alone. */
  readonly credentials: CurrentCredentials | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly inFlight: InFlight
}

/** Where other processes call this one: at the edge's port with a secret, or at a port of its own over mutual TLS. */
export interface Internal {
  /** For the edge: takes all requests under /internal/. Absent over mutual TLS. */
  readonly handler?: RequestListener
  /** @returns the URL of its own port, if it has one. @throws AppError CONFIG_INVALID when it cannot listen there */
  start(): Promise<string | undefined>
  /** Lets running calls end. */
  stop(): Promise<void>
}

/** @throws AppError CONFIG_INVALID when neither a secret nor certificates say who may call */
export function openInternal({ config, credentials, ...rest }: InternalOptions): Internal {
  const secret = config.INTERNAL_SECRET
  if (!credentials) {
    const { handler, stop } = createPortServer({ ...rest, secret })
    return { handler, start: async () => undefined, stop }
  }
  const { clock, logger } = rest
  const peers = new Peers(config.INTERNAL_TLS_NAMES)
  const server = createPortServer({ ...rest, secret, refusal: peers.refusal })
  const address = { host: config.HOST, port: config.INTERNAL_PORT, shared: config.SHARE_PORT }
  const listener = new TlsListener({ address, credentials, peers, handler: server.handler, clock, logger })
  return {
    start: async () => (await listener.start()).url,
    stop: async () => {
      await Promise.all([server.stop(), listener.stop()])
    },
  }
}
