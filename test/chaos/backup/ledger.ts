import { Client } from '../client.ts'
import { makeBatch } from '../events.ts'
import type { Entry, Ledger } from '../ledger.ts'
import type { Load } from '../load.ts'
import type { Random } from '../random.ts'
import type { Expectation } from '../verify.ts'

/** When each event was acknowledged for the first time, ms since the epoch. */
export class Acks {
  readonly #at = new Map<string, number>()

  constructor(load: Load) {
    load.onAnswer = ({ status }, { tenant, events }) => {
      if (status !== 200 && status !== 202) return
      const now = Date.now()
      for (const { id } of events) if (!this.#at.has(`${tenant} ${id}`)) this.#at.set(`${tenant} ${id}`, now)
    }
  }

  wasBefore({ tenant, event }: Entry, instant: number): boolean {
    return (this.#at.get(`${tenant} ${event.id}`) ?? Number.POSITIVE_INFINITY) < instant
  }
}

/**
 * What was acknowledged after the backup may be lost with the installation, and may be there: nobody knows.
 * @returns how many acknowledgements are in doubt by that
 */
export function forgetWhatCameAfter(ledger: Ledger, acks: Acks, instant: number): number {
  let forgotten = 0
  for (const entry of ledger.entries.values()) {
    if (!entry.acked || acks.wasBefore(entry, instant)) continue
    entry.acked = false
    entry.open++
    forgotten++
  }
  return forgotten
}

const batchEvents = 500

/** Everything that was ever sent, as clients do that were not told what is lost. In the order in which it was made. */
export async function sendAgain(url: string, { ledger, tenants }: Expectation, random: Random): Promise<void> {
  for (const tenant of tenants) {
    const client = new Client(url, tenant.key)
    const mine = [...ledger.entries.values()].filter((entry) => entry.tenant === tenant.name && !entry.event.bad)
    for (const [sender, entries] of Map.groupBy(mine, ({ event }) => Number(event.id.split('-')[0]))) {
      const events = entries.map(({ event }) => event).toSorted((a, b) => a.n - b.n)
      for (let from = 0; from < events.length; from += batchEvents) {
        const batch = makeBatch(random, tenant.name, sender, events.slice(from, from + batchEvents))
        ledger.begin(batch)
        const answer = await client.post(batch)
        if (answer.status !== 202) throw new Error(`events sent again were answered ${answer.status} ${answer.text}`)
        await ledger.end(batch, { kind: 'acked', refused: new Set() })
      }
    }
    client.close()
  }
}
