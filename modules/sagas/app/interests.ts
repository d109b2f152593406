import { RowFilter, type Wanted } from '@splitstream/ingest/contract'
import type { Clock, Postgres } from '@splitstream/kernel'
import { type PublishedTrigger, publicationCount, publishedAwaits, publishedTriggers } from '../adapters/interests.ts'
import { oldestKept } from '../adapters/partitions.ts'
import { eventField, type FieldValue } from '../domain/event-field.ts'
import type { Json } from '../domain/json.ts'

/** What events of one tenant and type are for. */
export interface Interest {
  readonly triggers: readonly PublishedTrigger[]
  readonly awaits: readonly AwaitedFields[]
}

/** Fields by whose values some step waits for an event. */
export type AwaitedFields = readonly {
  readonly field: string
  readonly read: (event: Json) => FieldValue | undefined
}[]

/** What no saga runs with any more is left out after this, though nothing was published, ms. */
const freshMs = 3_600_000
/** Sagas start with a version for a moment after it was replaced, and clocks differ, ms. */
const slackMs = 86_400_000

/** What events are wanted for, by all tenants: in memory, and read again when something was published. */
export class Interests {
  readonly #postgres: Postgres
  readonly #clock: Clock
  #known: { readonly count: string; readonly at: number; readonly filter: RowFilter<Interest> | undefined } | undefined
  #running: Promise<RowFilter<Interest> | undefined> | undefined
  #next: Promise<RowFilter<Interest> | undefined> | undefined

  constructor(postgres: Postgres, clock: Clock) {
    this.#postgres = postgres
    this.#clock = clock
  }

  /**
   * With everything that was published before the call. Undefined: nobody wants any event. Calls at the same time share the
   * questions to Postgres. @throws AppError UNAVAILABLE
   */
  asOfNow(): Promise<RowFilter<Interest> | undefined> {
    if (!this.#running) return this.#start()
    // The look that runs may have asked before the call.
    this.#next ??= this.#running.catch(() => undefined).then(() => this.#start())
    return this.#next
  }

  #start(): Promise<RowFilter<Interest> | undefined> {
    this.#next = undefined
    const look = this.#look().finally(() => {
      if (this.#running === look) this.#running = undefined
    })
    this.#running = look
    return look
  }

  async #look(): Promise<RowFilter<Interest> | undefined> {
    const at = this.#clock.monotonic()
    // Counted first: what is published meanwhile is read now or, as the count is another one, next time.
    const count = await publicationCount(this.#postgres)
    if (this.#known?.count !== count || at - this.#known.at > freshMs) {
      this.#known = { count, at, filter: await this.#load() }
    }
    return this.#known.filter
  }

  async #load(): Promise<RowFilter<Interest> | undefined> {
    const postgres = this.#postgres
    const oldest = (await oldestKept(postgres)) ?? this.#clock.now()
    const triggers = await publishedTriggers(postgres)
    const awaits = await publishedAwaits(postgres, oldest - slackMs)
    const found = new Map<string, Wanted<{ triggers: PublishedTrigger[]; awaits: AwaitedFields[] }>>()
    const at = ({ tenant, type }: { readonly tenant: string; readonly type: string }) => {
      const key = JSON.stringify([tenant, type])
      const wanted = found.get(key) ?? { tenant, type, value: { triggers: [], awaits: [] } }
      found.set(key, wanted)
      return wanted.value
    }
    for (const trigger of triggers) at(trigger).triggers.push(trigger)
    const sets = new Set<string>()
    for (const { tenant, type, fields } of awaits) {
      const key = JSON.stringify([tenant, type, fields])
      if (sets.has(key)) continue
      sets.add(key)
      at({ tenant, type }).awaits.push(fields.map((field) => ({ field, read: eventField(field) })))
    }
    return found.size === 0 ? undefined : new RowFilter(found.values())
  }
}
