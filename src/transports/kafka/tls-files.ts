import { createSecureContext } from 'node:tls'
import { type Clock, type Logger, messageOf, type Part } from '@splitstream/kernel'
import { Rounds } from '../../discovery/rounds.ts'
import { checkCertificates, type PemFile, readPem, usable } from '../pem-file.ts'

/** PEM files. */
export interface KafkaTlsFiles {
  /** Whom this process trusts: without it, the CAs of the system. */
  readonly ca?: PemFile
  /** What this process shows brokers that ask for a certificate. */
  readonly own?: { readonly cert: PemFile; readonly key: PemFile }
}

/** What is in them. */
export interface KafkaTls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** @throws AppError CONFIG_INVALID naming the setting whose file cannot be used */
export async function readKafkaTls({ ca: caFile, own }: KafkaTlsFiles): Promise<KafkaTls> {
  const ca = caFile && (await readPem(caFile))
  if (caFile && ca !== undefined) usable(caFile, () => checkCertificates(ca))
  if (!own) return ca === undefined ? {} : { ca }
  const [cert = '', key = ''] = await Promise.all([own.cert, own.key].map(readPem))
  usable(own.cert, () => checkCertificates(cert))
  // Also says whether the key is that of the certificate.
  usable(own.key, () => createSecureContext({ cert, key }))
  return { ...(ca !== undefined && { ca }), cert, key }
}

export interface KafkaTlsOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** Between two looks at the files, ms; default 10,000. */
  readonly everyMs?: number
}

/**
 * The files as they are now: looked at again and again, and taken over when they fit together, for connections from then on. Files
 * that do not fit, as in the middle of a change, leave everything as it was until they do.
 */
export class KafkaTlsRotation implements Part {
  readonly name = 'certificates for Kafka'
  readonly #files: KafkaTlsFiles
  readonly #o: KafkaTlsOptions
  readonly #rounds: Rounds
  #current: KafkaTls
  #trouble: string | undefined

  private constructor(files: KafkaTlsFiles, first: KafkaTls, o: KafkaTlsOptions) {
    this.#files = files
    this.#current = first
    this.#o = o
    this.#rounds = new Rounds(o.clock, async () => {
      await this.#look()
      return o.everyMs ?? 10_000
    })
  }

  /** @throws AppError CONFIG_INVALID naming the setting whose file cannot be used */
  static async read(files: KafkaTlsFiles, o: KafkaTlsOptions): Promise<KafkaTlsRotation> {
    return new KafkaTlsRotation(files, await readKafkaTls(files), o)
  }

  get current(): KafkaTls {
    return this.#current
  }

  /** Why the files are not taken as they are now. */
  get trouble(): string | undefined {
    return this.#trouble === undefined ? undefined : `${this.#trouble}; what was read before is used`
  }

  async start(): Promise<void> {
    await this.#rounds.start()
  }

  async stop(): Promise<void> {
    this.#rounds.stop()
  }

  async #look(): Promise<void> {
    const { logger } = this.#o
    try {
      const found = await readKafkaTls(this.#files)
      this.#trouble = undefined
      const { ca, cert, key } = this.#current
      if (found.ca === ca && found.cert === cert && found.key === key) return
      this.#current = found
      logger.info('the files of TLS to Kafka have changed: new connections use them')
    } catch (error) {
      const trouble = messageOf(error)
      if (trouble !== this.#trouble) logger.warn(`the files of TLS to Kafka are not taken: ${trouble}`)
      this.#trouble = trouble
    }
  }
}
