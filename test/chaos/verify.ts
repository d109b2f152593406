import { setTimeout as sleep } from 'node:timers/promises'
import type { Outcome } from './ledger.ts'
import type { Target } from './senders.ts'

export interface Verdict {
  readonly ok: boolean
  readonly acked: number
  readonly stored: number
  readonly lost: number
  readonly doubled: number
  readonly phantom: number
  readonly altered: number
  /** A few examples, for the one who looks into it. */
  readonly examples: readonly string[]
}

interface Page {
  events: { id: string; data: unknown }[]
  next: string | null
}

/**
 * Two-sided: every acknowledged event is stored once, with its payload; nothing else is stored but events whose outcome
 * the client does not know, at most once.
 */
export async function verify(
  target: Target,
  run: string,
  ledger: ReadonlyMap<string, { payload: string; outcome: Outcome }>,
): Promise<Verdict> {
  const seen = new Map<string, number>()
  const problems = { lost: 0, doubled: 0, phantom: 0, altered: 0 }
  const examples: string[] = []
  const note = (kind: keyof typeof problems, id: string): void => {
    problems[kind]++
    if (examples.length < 10) examples.push(`${kind} ${id}`)
  }
  let stored = 0
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Page = await getPage(target, run, cursor)
    for (const { id, data } of page.events) {
      stored++
      const count = (seen.get(id) ?? 0) + 1
      seen.set(id, count)
      const entry = ledger.get(id)
      if (count > 1) note('doubled', id)
      else if (!entry || entry.outcome === 'refused') note('phantom', id)
      else if (JSON.stringify(data) !== entry.payload) note('altered', id)
    }
    cursor = page.next
  }
  let acked = 0
  for (const [id, { outcome }] of ledger) {
    if (outcome !== 'acked') continue
    acked++
    if (!seen.has(id)) note('lost', id)
  }
  const ok = Object.values(problems).every((n) => n === 0)
  return { ok, acked, stored, ...problems, examples }
}

async function getPage(target: Target, run: string, cursor: string): Promise<Page> {
  const url = `${target.url}/v1/events?source=/chaos/${run}&limit=10000${cursor === '' ? '' : `&cursor=${cursor}`}`
  const response = await fetch(url, { headers: { authorization: `Bearer ${target.key}` } })
  if (!response.ok) throw new Error(`listing answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as Page
}

/** Waits until everything that the log holds is stored: one more event per subject is sent, and each is waited for. */
export async function settle(target: Target, run: string, senders: number, timeoutMs: number): Promise<void> {
  const until = performance.now() + timeoutMs
  const headers = { authorization: `Bearer ${target.key}`, 'content-type': 'application/x-ndjson' }
  const body = Array.from(
    { length: senders },
    (_, i) => `{"id":"end-${i}","source":"/settle/${run}","type":"settle","subject":"s${i}"}`,
  ).join('\n')
  for (;;) {
    const response = await fetch(`${target.url}/v1/events?wait=stored`, {
      method: 'POST',
      headers,
      body,
      signal: AbortSignal.timeout(60_000),
    }).catch(() => undefined)
    if (response?.status === 200) return
    if (performance.now() > until) throw new Error(`not stored within ${timeoutMs} ms: the log does not drain`)
    await sleep(200)
  }
}
