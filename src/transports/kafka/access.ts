import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Clock, Logger } from '@splitstream/kernel'
import { saslTrouble, speaksTls, tlsTrouble } from './access-trouble.ts'
import type { Sasl } from './sasl.ts'
import type { KafkaTlsRotation } from './tls-files.ts'

export interface AccessOptions {
  /** TLS, with what these files hold at the moment of each connection. */
  readonly tls?: Pick<KafkaTlsRotation, 'current' | 'trouble'>
  readonly sasl?: Sasl
  readonly clock: Clock
  readonly logger: Logger
}

interface Trouble {
  readonly text: string
  /** By a password that is right, a connection is not: each is mended by its own proof. */
  readonly of: 'connection' | 'sasl'
  seenAt: number
  toldAt: number
}

const keepAliveMs = 60_000
/** What was not seen for so long is over: whoever needs the broker tries again every few seconds, ms. */
const forgetMs = 15_000
/** Between two lines in the log about the same, ms. */
const tellMs = 60_000

/**
 * How brokers are reached, and what keeps this process from being let in: a certificate that is not trusted, a wrong password. Every
 * connection to Kafka is made here. One for each log: it remembers.
 */
export class BrokerAccess {
  readonly #o: AccessOptions
  readonly #troubles = new Map<string, Trouble>()
  #waiting = Promise.withResolvers<void>()

  constructor(o: AccessOptions) {
    this.#o = o
  }

  get isSecure(): boolean {
    return this.#o.tls !== undefined
  }

  get sasl(): Sasl | undefined {
    return this.#o.sasl
  }

  /** What an operator has to mend, as a sentence; undefined when nothing is known. */
  get trouble(): string | undefined {
    const now = this.#o.clock.monotonic()
    for (const [broker, { text, seenAt }] of this.#troubles) {
      if (now - seenAt < forgetMs) return `broker ${broker} ${text}`
    }
    return this.#o.tls?.trouble
  }

  /** Resolves when there is trouble for the first time. */
  get troubled(): Promise<void> {
    return this.#waiting.promise
  }

  /** @param onConnect when bytes may be sent: with TLS, once the broker is known to be the right one */
  connect(host: string, port: number, onConnect?: () => void): Socket {
    const broker = `${host}:${port}`
    const tls = this.#o.tls?.current
    const name = isIP(host) === 0 ? { servername: host } : {}
    const socket = tls ? connectTls({ host, port, ...name, ...tls }) : connectTcp({ host, port })
    let begun = false
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      begun = true
      onConnect?.()
    })
    socket.setKeepAlive(true, keepAliveMs)
    socket.on('error', (error) => {
      const text = tls && tlsTrouble(error, tls, begun)
      if (text !== undefined) this.#note(broker, 'connection', text)
    })
    socket.once('data', (bytes: Buffer) => {
      if (!tls && speaksTls(bytes)) return this.#note(broker, 'connection', 'speaks TLS: set KAFKA_TLS=on')
      this.#mended(broker, 'connection')
      if (!this.#o.sasl) this.#watchUnnamed(socket, broker)
    })
    return socket
  }

  /** A broker has taken what this process shows: that of one cluster is for all of its brokers. */
  authenticated(): void {
    for (const broker of this.#troubles.keys()) this.#mended(broker, 'sasl')
  }

  refused(broker: string, error: unknown): void {
    const { sasl } = this.#o
    const text = sasl && saslTrouble(error, sasl.mechanism, sasl.username)
    if (text !== undefined) this.#note(broker, 'sasl', text)
  }

  /** A broker that asks who is there says what it speaks, and then ends the connection of whoever goes on without a name. */
  #watchUnnamed(socket: Socket, broker: string): void {
    const sent = socket.bytesWritten
    const ended = (): void => {
      // One that was asked nothing more may be stopping.
      if (socket.writableEnded || socket.bytesWritten === sent) return
      const why = 'ends the connection after its first answer, as one with SASL does: set KAFKA_SASL_MECHANISM'
      this.#note(broker, 'sasl', why)
    }
    socket.once('end', ended)
    socket.once('data', () => {
      socket.off('end', ended)
      this.#mended(broker, 'sasl')
    })
  }

  #note(broker: string, of: Trouble['of'], text: string): void {
    const now = this.#o.clock.monotonic()
    const known = this.#troubles.get(broker)
    if (known?.text === text && now - known.toldAt < tellMs) {
      known.seenAt = now
      return
    }
    this.#troubles.set(broker, { text, of, seenAt: now, toldAt: now })
    this.#o.logger.error(`Kafka cannot be used: broker ${broker} ${text}`)
    this.#waiting.resolve()
  }

  #mended(broker: string, of: Trouble['of']): void {
    const known = this.#troubles.get(broker)
    if (known?.of === of) known.seenAt = Number.NEGATIVE_INFINITY
  }
}
