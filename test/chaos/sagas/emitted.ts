import { Client } from '../client.ts'
import type { Findings } from '../findings.ts'
import type { Clients } from './clients.ts'
import { type Installation, until } from './installation.ts'
import type { Wanted } from './orders.ts'
import type { SagaRows } from './saga-rows.ts'

interface Page {
  readonly events: readonly { readonly subject?: string }[]
  readonly next: string | null
}

/** Of the definitions, those that emit `order.shipped` at their end. */
const emitting: readonly string[] = ['order', 'family']

/** The events that completed sagas emitted are stored, each once, and no others. */
export class Emitted {
  readonly #shipped = new Set<string>()

  /** After a run. */
  async note(wanted: readonly Wanted[], { told }: Clients, rows: SagaRows): Promise<void> {
    const completed = new Set((await rows.all()).flatMap(({ id, status }) => (status === 'completed' ? [id] : [])))
    for (const { key, kind, order } of wanted) {
      if (emitting.includes(kind) && completed.has(told.get(key) ?? '')) this.#shipped.add(order.order)
    }
  }

  async verify(installation: Installation, findings: Findings): Promise<{ emitted: number }> {
    const client = new Client(installation.fleet.urlFor('query'), installation.adminKey)
    let stored: string[] = []
    await until(async () => {
      stored = await subjects(client)
      return stored.length >= this.#shipped.size
    }, 30_000)
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
