import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fleet } from '../../support/fleet.ts'
import { percentile } from '../stats.ts'

/** Heavy enough to run for a while: every event is a group of its own. */
const heavy = JSON.stringify({
  measures: [
    { fn: 'count', as: 'n' },
    { fn: 'quantile', field: 'data.delay', q: 0.95, as: 'p95' },
    { fn: 'uniq', field: 'subject', as: 'subjects' },
  ],
  groupBy: ['id', 'subject', 'source'],
  orderBy: [{ by: 'p95', dir: 'desc' }],
  limit: 10_000,
})

export interface AbortFigures {
  readonly times: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly maxMs: number
}

/** How long after an abort the engine is asked first, and then again each time, ms. */
const [firstLookMs, lookMs] = [10, 3]

/**
 * From the moment a client closes its connection in the middle of a query until the engine no longer runs it. The engine is
 * asked every few ms, so a figure is too high by that, and by what an answer takes. To ask without a pause would take a core from
 * what is measured.
 */
export async function measureAbort(fleet: Fleet, times: number): Promise<AbortFigures> {
  const engine = new URL(fleet.clickhouseUrl!)
  const authorization = `Basic ${Buffer.from(`${engine.username}:${engine.password}`).toString('base64')}`
  const running = async (): Promise<boolean> => {
    const body = `SELECT count() FROM system.processes WHERE query LIKE '%FROM events%' AND query NOT LIKE '%system.processes%'`
    const answer = await fetch(engine.origin, { method: 'POST', body, headers: { authorization } })
    return Number(await answer.text()) > 0
  }
  const took: number[] = []
  for (let tries = 0; took.length < times && tries < times * 5; tries++) {
    const asked = request(`${fleet.urlFor('query')}/v1/query`, {
      method: 'POST',
      headers: { authorization: `Bearer ${fleet.adminKey}`, 'content-type': 'application/json' },
    })
    let over = false
    asked.on('error', () => undefined).on('response', () => (over = true))
    asked.end(heavy)
    while (!over && !(await running())) await sleep(1)
    if (over) continue // too fast to be caught
    await sleep(20)
    const from = performance.now()
    asked.destroy()
    await sleep(firstLookMs)
    while (await running()) await sleep(lookMs)
    if (!over) took.push(performance.now() - from)
  }
  if (took.length === 0) throw new Error('no query ran for long enough to be aborted')
  return { times: took.length, p50Ms: percentile(took, 0.5), p95Ms: percentile(took, 0.95), maxMs: Math.max(...took) }
}
