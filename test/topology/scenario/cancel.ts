import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { Engine } from './engine.ts'
import type { Story } from './story.ts'

/** A cancelled query is gone from the engine within so many ms (docs say 150; here other work shares the cores). It would never end. */
const goneMs = 20_000

/** A client leaves, and its query, which would never end, disappears from the engine. */
export async function cancel({ place, query }: Story): Promise<void> {
  const engine = new Engine(place.engineUrl)
  const running = async (): Promise<number> =>
    Number(
      await engine.run(`SELECT count() FROM system.processes WHERE query LIKE '%_log_offset DESC%'
                             AND query NOT LIKE '%system.processes%'`),
    )
  const untilRunning = async (count: number, ms: number): Promise<void> => {
    for (const until = performance.now() + ms; (await running()) !== count; await delay(10)) {
      expect(performance.now()).toBeLessThan(until)
    }
  }
  await endless(engine, async () => {
    const client = new AbortController()
    const answer = query.ask('GET', '/v1/events', { signal: client.signal }).catch((error: Error) => error.name)
    await untilRunning(1, 20_000)
    client.abort()
    await untilRunning(0, goneMs)
    expect(await answer).toBe('AbortError')
  })
  expect((await query.ask('GET', '/v1/events')).status).toBe(200)
}

/** While it lasts, a view stands in for the table, of which a read makes no progress and never ends. */
async function endless(engine: Engine, during: () => Promise<void>): Promise<void> {
  const columns = await engine.run(`SELECT arrayStringConcat(groupArray(name), ', ') FROM system.columns
                                    WHERE database = currentDatabase() AND table = 'events'`)
  await engine.run('RENAME TABLE events TO events_aside')
  try {
    await engine.run(`CREATE VIEW events AS SELECT ${columns.trim()} FROM events_aside
      CROSS JOIN (SELECT number FROM system.numbers WHERE number + sleep(0.02) < 0) AS never`)
    await during()
  } finally {
    await engine.run('DROP VIEW IF EXISTS events')
    await engine.run('RENAME TABLE events_aside TO events')
  }
}
