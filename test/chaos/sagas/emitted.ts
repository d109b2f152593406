import { Client } from '../client.ts'
import type { Findings } from '../findings.ts'
import { type Installation, until } from './installation.ts'
import type { SagaRows } from './saga-rows.ts'

interface Page {
  readonly events: readonly { readonly subject?: string }[]
  readonly next: string | null
}

/** Of the definitions, those that emit `order.shipped` at their end. */
const emitting: readonly string[] = ['order', 'family']

/** So long after the last one came no more are waited for, ms. */
const patienceMs = 10_000

/** The events that completed sagas emitted are stored, each once, and no others. */
export class Emitted {
  readonly #prefix: string
  readonly #shipped = new Set<string>()

  /** @param prefix begins the names of the orders that it is about */
  constructor(prefix = '') {
    this.#prefix = prefix
  }

  /** After a run. */
  async note(rows: SagaRows): Promise<void> {
    for (const { name, status, journal } of await rows.all()) {
      const order = /"order":"([^"]*)"/.exec(journal)?.[1]
      if (emitting.includes(name) && status === 'completed' && order !== undefined) this.#shipped.add(order)
    }
  }

  async verify(installation: Installation, findings: Findings): Promise<{ emitted: number }> {
    const client = new Client(installation.fleet.urlFor('query'), installation.adminKey)
    let stored: string[] = []
    let cameAt = performance.now()
    await until(async () => {
      const found = (await subjects(client)).filter((order) => order.startsWith(this.#prefix))
      if (found.length > stored.length) cameAt = performance.now()
      stored = found
      return stored.length >= this.#shipped.size || performance.now() - cameAt > patienceMs
    }, 60_000)
    client.close()
    const once = new Set(stored)
    if (once.size < stored.length) findings.add('an event was stored twice', `${stored.length - once.size} of them`)
    for (const order of this.#shipped) if (!once.has(order)) findings.add('an emitted event is missing', order)
    for (const order of once) if (!this.#shipped.has(order)) findings.add('an event of no completed saga', order)
    return { emitted: stored.length }
  }
}

async function subjects(client: Client): Promise<string[]> {
  const found: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const more: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page: Page = await client.json<Page>('GET', `/v1/events?type=order.shipped&limit=10000${more}`)
    found.push(...page.events.map(({ subject }) => subject ?? ''))
    cursor = page.next
  }
  return found
}
