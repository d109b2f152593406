import { type Clock, type Health, type Logger, type Metrics, messageOf, type Part } from '@splitstream/kernel'
import { Rounds } from '../../../discovery/rounds.ts'
import type { Certificate } from './certificate.ts'
import { type Credentials, readCredentials } from './credentials.ts'

export interface RotationOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** Between two looks at the files, ms; default 10,000. */
  readonly everyMs?: number
}

/** The credentials of the present, for whoever makes connections with them. */
export interface CurrentCredentials {
  readonly current: Credentials
  /** Called when they have changed; `trust`: the CA has. */
  onChange(listener: (change: { readonly trust: boolean }) => void): void
}

const dayMs = 86_400_000
const soonMs = 14 * dayMs

/*
 * Looks at the files again and again, and takes what is new when all three fit together. Their content is compared, and no watch
 * is set on them: a mounted secret is changed by moving a symbolic link of its folder, which no watch of a file sees. Files that
 * do not fit, as in the middle of a change, leave everything as it was until they do.
 */
export class Rotation implements CurrentCredentials, Part {
  readonly name = 'certificates of internal calls'
  readonly #o: RotationOptions
  readonly #rounds: Rounds
  readonly #listeners: ((change: { readonly trust: boolean }) => void)[] = []
  #current: Credentials
  #trouble: string | undefined
  #warned: { readonly of: Credentials; readonly at: number } | undefined

  /** @param first as they were read at the start */
  constructor(first: Credentials, o: RotationOptions) {
    this.#current = first
    this.#o = o
    this.#rounds = new Rounds(o.clock, async () => {
      await this.#look()
      return o.everyMs ?? 10_000
    })
  }

  get current(): Credentials {
    return this.#current
  }

  onChange(listener: (change: { readonly trust: boolean }) => void): void {
    this.#listeners.push(listener)
  }

  async start(): Promise<void> {
    await this.#rounds.start()
  }

  async stop(): Promise<void> {
    this.#rounds.stop()
  }

  /** Never `down`: what can be done without the other processes is done. */
  health(): Health {
    const now = this.#o.clock.now()
    const { from, until } = this.#current.certificate
    if (now >= until) return degraded(`the certificate ended at ${iso(until)}: no other process takes it`)
    if (now < from) return degraded(`the certificate begins at ${iso(from)}: no other process takes it yet`)
    return this.#trouble === undefined ? { state: 'ok' } : degraded(`${this.#trouble}; what was read before is used`)
  }

  async #look(): Promise<void> {
    const { logger } = this.#o
    try {
      this.#take(await readCredentials(this.#current.files))
      this.#trouble = undefined
    } catch (error) {
      const trouble = messageOf(error)
      if (trouble !== this.#trouble) logger.warn(`the files of internal calls are not taken: ${trouble}`)
      this.#trouble = trouble
    }
    this.#warn()
  }

  #take(found: Credentials): void {
    const before = this.#current
    if (found.cert === before.cert && found.key === before.key && found.ca === before.ca) return
    const trust = found.ca !== before.ca
    this.#current = found
    this.#o.logger.info('the files of internal calls have changed', { until: iso(found.certificate.until), ca: trust })
    for (const listener of this.#listeners) listener({ trust })
  }

  /** Once a day. One that is renewed more often than every few weeks is not spoken of as long as that goes on. */
  #warn(): void {
    const { clock, logger } = this.#o
    const { until } = this.#current.certificate
    const leftMs = until - clock.now()
    if (leftMs > soon(this.#current.certificate)) return
    if (this.#warned?.of === this.#current && clock.monotonic() - this.#warned.at < dayMs) return
    this.#warned = { of: this.#current, at: clock.monotonic() }
    const days = Math.floor(leftMs / dayMs)
    logger.warn('the certificate of internal calls ends soon: renew INTERNAL_TLS_CERT', { until: iso(until), days })
  }
}

export function watchExpiry(credentials: CurrentCredentials, clock: Clock, metrics: Metrics): void {
  const help = 'Until the certificate of this process for internal calls ends; below 0 it has'
  const left = (): number => (credentials.current.certificate.until - clock.now()) / 1_000
  metrics.gauge('splitstream.internal_tls.expires_in', help, left, 's')
}

const soon = ({ from, until }: Certificate): number => Math.min(soonMs, (until - from) / 4)

const iso = (ms: number): string => new Date(ms).toISOString()

const degraded = (reason: string): Health => ({ state: 'degraded', reason })
