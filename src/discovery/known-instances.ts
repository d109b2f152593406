import type { Health, Logger } from '@splitstream/kernel'
import type { Instance } from './resolver.ts'
import { type Share, turns } from './shares.ts'

/**
 * What a source has said last. It is kept as it is while the source is away: instances that run do not stop because nobody
 * can be asked about them. An answer without instances is an answer, and is believed.
 */
export class KnownInstances {
  readonly #source: string
  readonly #logger: Logger
  #list: readonly Instance[] = []
  #trouble: string | undefined = 'no answer yet'

  /** `source` names it in messages, such as `DNS for storage`. */
  constructor(source: string, logger: Logger) {
    this.#source = source
    this.#logger = logger
  }

  /** The same array, of the same objects, until an answer differs. */
  current(): readonly Instance[] {
    return this.#list
  }

  /** The source answered. */
  answered(shares: readonly Share[]): void {
    this.#take(shares)
    if (this.#trouble !== undefined) this.#logger.info(`${this.#source} answers`)
    this.#trouble = undefined
  }

  /** The source, or a part of it, did not answer; `shares` is what is still known, if that has changed. */
  failed(trouble: string, shares?: readonly Share[]): void {
    if (shares) this.#take(shares)
    if (trouble !== this.#trouble) this.#logger.warn(`${this.#source}: ${trouble}`, { known: this.#list.length })
    this.#trouble = trouble
  }

  health(): Health {
    if (this.#list.length === 0) {
      return { state: 'down', reason: `${this.#source}: ${this.#trouble ?? 'the answer has no instance'}` }
    }
    if (this.#trouble === undefined) return { state: 'ok' }
    return { state: 'degraded', reason: `${this.#source}: ${this.#trouble}; what it said last is used` }
  }

  #take(shares: readonly Share[]): void {
    const origins = turns(shares)
    if (origins.length === this.#list.length && origins.every((origin, i) => origin === this.#list[i]!.origin)) return
    const instances = new Map(this.#list.map((instance) => [instance.origin, instance]))
    const names = new Map(shares.map(({ origin, name }) => [origin, name]))
    for (const origin of origins) {
      const name = names.get(origin)
      if (!instances.has(origin)) instances.set(origin, { origin, ...(name !== undefined && { name }) })
    }
    this.#list = origins.map((origin) => instances.get(origin)!)
    this.#logger.info(`${this.#source}: the instances have changed`, { instances: [...new Set(origins)] })
  }
}
