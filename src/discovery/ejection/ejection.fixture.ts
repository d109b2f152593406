import type { Logger } from '@splitstream/kernel'
import type { Discovery } from '../discovery.ts'
import { ManualClock } from '../manual-clock.fixture.ts'
import type { Instance, Outcome } from '../resolver.ts'
import { EjectingDiscovery, type InstanceView } from './ejection.ts'

/** Instances a, b, c… behind an ejection, and calls to them. */
export class Ward {
  readonly clock = new ManualClock()
  readonly discovery: EjectingDiscovery
  /** How long each ejection was to last, ms. */
  readonly spells: number[] = []
  #known: readonly Instance[]

  constructor(count: number) {
    this.#known = Array.from({ length: count }, (_, i) => ({ origin: String.fromCharCode(97 + i) }))
    const inner: Discovery = {
      current: () => this.#known,
      report() {},
      start: async () => {},
      stop: async () => {},
      health: () => ({ state: 'ok' }),
    }
    const note: Logger['warn'] = (_, fields) => void this.spells.push(fields!.forMs as number)
    const logger: Logger = { debug() {}, info() {}, warn: note, error() {} }
    this.discovery = new EjectingDiscovery(inner, { clock: this.clock, logger })
    this.discovery.current()
  }

  get known(): readonly Instance[] {
    return this.#known
  }

  /** Discovery finds these now. */
  find(instances: readonly Instance[]): void {
    this.#known = instances
    this.discovery.current()
  }

  /** Calls that begin now and end `ms` later, all at once, whether or not the instance is listed. */
  calls(instance: Instance, count: number, outcome: Outcome = 'answered', ms = 0): void {
    this.clock.advance(ms)
    for (let i = 0; i < count; i++) this.discovery.report(instance, outcome, ms)
  }

  /** What the next caller sees, after the reports so far have been judged. */
  next(): string {
    this.clock.advance(100)
    return this.list()
  }

  list(): string {
    return this.discovery
      .current()
      .map((instance) => instance.origin)
      .join('')
  }

  out(): InstanceView[] {
    return this.discovery.view().filter(({ state }) => state !== 'serving')
  }
}
