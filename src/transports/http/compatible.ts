import { type Clock, codeOf, type Health, type Logger, messageOf } from '@splitstream/kernel'
import type { Discovery } from '../../discovery/discovery.ts'
import type { Instance, Outcome } from '../../discovery/resolver.ts'
import { Rounds } from '../../discovery/rounds.ts'
import type { Caller } from './caller.ts'
import { askPorts, lackOf, type Needed } from './handshake.ts'

export interface CompatibleOptions {
  readonly needed: Needed
  readonly caller: Caller
  readonly clock: Clock
  readonly logger: Logger
  /** Told what the clock of an instance says, ms since the epoch. */
  readonly heard?: (origin: string, now: number) => void
}

/** Between two rounds, ms: when all serve what is needed, and when one does not, or has not said so yet. */
const [quietMs, soonMs] = [5_000, 1_000]
/** Instances that are asked at once. */
const atOnce = 16

/** What an instance said last. One that does not answer now stands as it did before. */
type Word = { readonly serves: true } | { readonly serves: false; readonly reason: string }

/*
 * Asks every instance in rounds what it serves, and leaves out those that lack what is needed here: during an upgrade, calls
 * go to the instances that understand them. When none does, nothing is left out, since what they have in common still works,
 * and `lack` says why the process is not ready. An instance that has said nothing yet, or has another secret, is not judged.
 */
export class CompatibleDiscovery implements Discovery {
  readonly #found: Discovery
  readonly #o: CompatibleOptions
  readonly #rounds: Rounds
  #said: ReadonlyMap<Instance, Word> = new Map()
  /** Trouble that is not about versions, such as another secret. */
  #trouble: string | undefined
  #known: readonly Instance[] | undefined
  #serving: readonly Instance[] = []

  constructor(found: Discovery, o: CompatibleOptions) {
    this.#found = found
    this.#o = o
    this.#rounds = new Rounds(o.clock, () => this.#ask())
  }

  /** Why no instance serves what is needed; undefined as long as one may. */
  get lack(): string | undefined {
    const known = this.#found.current()
    const lacking = this.lacking()
    return known.length > 0 && known.every((one) => lacking.has(one.origin)) ? reasonOf(lacking) : undefined
  }

  /** What each instance lacks that is not up to what is needed, by its origin. */
  lacking(): ReadonlyMap<string, string> {
    const known = new Set(this.#found.current())
    const all = [...this.#said].flatMap(([instance, word]): [string, string][] =>
      word.serves || !known.has(instance) ? [] : [[instance.origin, word.reason]],
    )
    return new Map(all)
  }

  current(): readonly Instance[] {
    const known = this.#found.current()
    if (known !== this.#known) this.#adopt(known)
    return this.#serving
  }

  report(instance: Instance, outcome: Outcome, ms: number): void {
    this.#found.report(instance, outcome, ms)
  }

  async start(): Promise<void> {
    await this.#found.start()
    await this.#rounds.start()
  }

  async stop(): Promise<void> {
    this.#rounds.stop()
    await this.#found.stop()
  }

  health(): Health {
    const { lack } = this
    if (lack !== undefined) return { state: 'down', reason: lack }
    const health = this.#found.health()
    if (health.state !== 'ok') return health
    const lacking = this.lacking()
    const reason = lacking.size > 0 ? reasonOf(lacking) : this.#trouble
    return reason === undefined ? health : { state: 'degraded', reason }
  }

  async #ask(): Promise<number> {
    const instances = [...new Set(this.#found.current())]
    const said = new Map<Instance, Word>()
    let trouble: string | undefined
    for (let i = 0; i < instances.length; i += atOnce) {
      const asked = instances.slice(i, i + atOnce).map(async (instance) => {
        const before = this.#said.get(instance)
        try {
          said.set(instance, await this.#wordOf(instance))
        } catch (error) {
          if (codeOf(error) === 'CONFIG_INVALID') trouble = messageOf(error)
          if (before) said.set(instance, before)
        }
        this.#tellChange(instance, before, said.get(instance))
      })
      await Promise.all(asked)
    }
    this.#said = said
    this.#trouble = trouble
    this.#adopt(this.#found.current())
    return instances.every((instance) => said.get(instance)?.serves) ? quietMs : soonMs
  }

  async #wordOf(instance: Instance): Promise<Word> {
    const answer = await askPorts(instance, this.#o.caller)
    if (answer.now !== undefined) this.#o.heard?.(instance.origin, answer.now)
    const reason = lackOf(answer, this.#o.needed)
    return reason === undefined ? { serves: true } : { serves: false, reason }
  }

  #tellChange(instance: Instance, before: Word | undefined, now: Word | undefined): void {
    const { logger } = this.#o
    const port = this.#o.needed.port.name
    if (now?.serves === false && (before?.serves !== false || before.reason !== now.reason)) {
      logger.warn('an instance lacks what is needed of a port', { port, instance: instance.origin, reason: now.reason })
    }
    if (now?.serves && before?.serves === false) {
      logger.info('an instance serves what is needed of a port now', { port, instance: instance.origin })
    }
  }

  #adopt(known: readonly Instance[]): void {
    this.#known = known
    const fit = known.filter((instance) => this.#said.get(instance)?.serves !== false)
    const list = fit.length === 0 || fit.length === known.length ? known : fit
    // The same array as before when nothing changed: whoever asks compares.
    const same = list.length === this.#serving.length && list.every((one, i) => one === this.#serving[i])
    if (!same) this.#serving = list
  }
}

const reasonOf = (lacking: ReadonlyMap<string, string>): string =>
  [...lacking].map(([origin, reason]) => `${origin} ${reason}`).join('; ')
