import { Client } from './client.ts'
import { contentHash } from './events.ts'
import type { Findings } from './findings.ts'
import { type Ledger, stateOf } from './ledger.ts'
import type { Tenant } from './load.ts'
import type { RawEvents, RawRow } from './raw-rows.ts'

interface Page {
  readonly events: readonly Record<string, unknown>[]
  readonly next: string | null
}

export interface Expectation {
  readonly ledger: Ledger
  readonly source: string
  readonly tenants: readonly Tenant[]
}

/** Waits until storage has confirmed the marks: then all that was accepted before is visible. @throws Error */
export async function awaitStored(
  url: string,
  marks: readonly { tenant: Tenant; position: string }[],
  deadlineMs: number,
): Promise<void> {
  for (const { tenant, position } of marks) {
    const client = new Client(url, tenant.key)
    await client.json('GET', `/v1/events?limit=1&after=${encodeURIComponent(position)}`, undefined, deadlineMs)
    client.close()
  }
}

/**
 * Reads every event of the source back through the API and holds it against the ledger: what was acknowledged is there
 * once and unchanged, what was refused is not, and nothing else is. Returns the number of events by tenant.
 */
export async function verifyThroughApi(url: string, e: Expectation, findings: Findings): Promise<Map<string, number>> {
  const stored = new Map<string, number>()
  for (const tenant of e.tenants) {
    const client = new Client(url, tenant.key)
    const seen = new Map<string, number>()
    let listed = 0
    const filter = `source=${encodeURIComponent(e.source)}&limit=10000`
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path: string = `/v1/events?${filter}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`
      const page: Page = await client.json<Page>('GET', path)
      for (const event of page.events) {
        const id = String(event.id)
        listed++
        seen.set(id, (seen.get(id) ?? 0) + 1)
        const entry = e.ledger.entry(tenant.name, id)
        if (!entry) findings.add('never sent', `${tenant.name} ${id}`)
        else if (hashOf(event, entry.event.timed) !== entry.event.hash)
          findings.add(
            'changed',
            `${tenant.name} ${JSON.stringify(event).slice(0, 300)}; sent: ${entry.event.json.slice(0, 300)}`,
          )
      }
      if (page.events.length === 0 && page.next !== null) throw new Error('an empty page with a next cursor')
      cursor = page.next
    }
    compare(e.ledger, tenant.name, (id) => seen.get(id) ?? 0, 'API', findings)
    const counted = await countOf(client, e.source)
    if (counted !== listed) findings.add('count differs from listing', `${tenant.name}: ${counted} and ${listed}`)
    stored.set(tenant.name, listed)
    client.close()
  }
  return stored
}

/** An event that came without a time has been given one; which, is not in the ledger. */
function hashOf(event: Record<string, unknown>, timed: boolean): string | undefined {
  if (!timed && Number.isNaN(Date.parse(String(event.time)))) return undefined
  return contentHash(event.type, event.subject, timed ? event.time : undefined, event.data)
}

async function countOf(client: Client, source: string): Promise<number> {
  const answer = await client.json<{ rows: { n: number }[] }>('POST', '/v1/query', {
    measures: [{ fn: 'count', as: 'n' }],
    filters: [{ field: 'source', op: 'eq', value: source }],
  })
  return Number(answer.rows[0]?.n ?? 0)
}

/**
 * The same against the table itself, and the order: the
 * events of a subject lie in the log in the order in which their sender made them.
 */
export async function verifyRawRows(
  engine: RawEvents,
  sources: readonly Expectation[],
  findings: Findings,
  others: readonly string[] = [],
): Promise<void> {
  try {
    const parts = await engine.detachedParts()
    if (parts > 0) findings.add('detached parts', String(parts))
    for (const e of sources) checkRows(await engine.rows(e.source), e, findings)
    const strangers = await engine.countOthers([...sources.map((e) => e.source), ...others])
    if (strangers > 0) findings.add('never sent', `${strangers} rows of sources that nobody used`)
  } finally {
    await engine.stop()
  }
}

function checkRows(rows: readonly RawRow[], e: Expectation, findings: Findings): void {
  const seen = new Map<string, number>()
  const lastOf = new Map<string, number>()
  const places = new Set<string>()
  for (const [tenant, id, subject, partition, offset] of rows) {
    const key = `${tenant} ${id}`
    seen.set(key, (seen.get(key) ?? 0) + 1)
    if (!e.ledger.entry(tenant, id)) findings.add('never sent (table)', key)
    const place = `${partition}:${offset}`
    if (places.has(place)) findings.add('log place used twice', place)
    places.add(place)
    const n = e.ledger.entry(tenant, id)?.event.n ?? -1
    const chain = `${tenant} ${subject} ${partition}`
    if (n < (lastOf.get(chain) ?? -1)) findings.add('out of order', `${chain}: ${n} after ${lastOf.get(chain)}`)
    lastOf.set(chain, n)
  }
  for (const tenant of e.tenants)
    compare(e.ledger, tenant.name, (id) => seen.get(`${tenant.name} ${id}`) ?? 0, 'table', findings)
}

function compare(
  ledger: Ledger,
  tenant: string,
  times: (id: string) => number,
  where: string,
  findings: Findings,
): void {
  for (const entry of ledger.entries.values()) {
    if (entry.tenant !== tenant) continue
    const { id } = entry.event
    const found = times(id)
    const state = stateOf(entry)
    if (state === 'acked' && found === 0) findings.add(`acknowledged and lost (${where})`, `${tenant} ${id}`)
    if (state === 'refused' && found > 0) findings.add(`refused and stored (${where})`, `${tenant} ${id}`)
    if (found > 1) findings.add(`doubled (${where})`, `${tenant} ${id}: ${found} times, ${state}`)
  }
}
