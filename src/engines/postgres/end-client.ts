import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'

/** How long the goodbye may take, ms. */
const patienceMs = 1_000

/** Ends a connection. A server that stands still, or the host of which is gone, says no goodbye: it is waited for for a second. Never throws. */
export async function endClient(client: pg.Client): Promise<void> {
  const patience = new AbortController()
  const ended = client.end().catch(() => undefined)
  await Promise.race([ended, delay(patienceMs, undefined, { signal: patience.signal }).catch(() => undefined)])
  patience.abort()
}
