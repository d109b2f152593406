import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, Client } from './client.ts'
import type { Findings } from './findings.ts'
import { isRightlyRefused } from './load.ts'
import { fillDisk, mountTmpfs, requireRoot } from './mounts.ts'
import { Random } from './random.ts'
import { Session } from './session.ts'
import { inPlace, judge, type Place } from './trial.ts'

const mib = 1 << 20

/**
 * The disk fills up under load and is freed again. Twice: once the guard refuses in time (MIN_FREE_BYTES), once it is off
 * and the writes themselves fail. 507 and never a false ack; reads go on; afterwards everything acknowledged is stored.
 */
export async function runDiskFull(o: { from: number; eventsPerSecond: number; keep: boolean }): Promise<number> {
  requireRoot('disk-full')
  let failed = 0
  for (const guardMib of [64, 0]) {
    const env = { MIN_FREE_BYTES: String(guardMib * mib) }
    const passed = await inPlace({ name: 'disk-full', env, keep: o.keep }, (place) => {
      mountTmpfs(place.disk, 768)
      return judge({ guardMib }, (findings) => fillOnce(guardMib, place, o, findings))
    })
    if (!passed) failed++
  }
  return failed
}

async function fillOnce(
  guardMib: number,
  place: Place,
  o: { from: number; eventsPerSecond: number },
  findings: Findings,
) {
  const { disk, victim } = place
  const { eventsPerSecond } = o
  await using session = await Session.start(place, { name: `${guardMib}`, random: new Random(o.from), eventsPerSecond })
  const { load } = session
  let refusedAt = 0
  let freedAt = Number.POSITIVE_INFINITY
  let acceptedAgainMs: number | undefined
  load.onAnswer = (answer, batch) => {
    if (answer.status === 202 && performance.now() > freedAt)
      acceptedAgainMs ??= Math.round(performance.now() - freedAt)
    if (answer.status === 202 || isRightlyRefused(answer, batch)) return
    refusedAt ||= performance.now()
    const problem = isProblem(answer, 'DISK_FULL') && answer.status === 507
    // While Postgres or the log restart after a failed write, 503 is the truth as well.
    if (!problem && !(answer.status === 503 && answer.headers['retry-after']))
      findings.add('refused in another way', `${answer.status} ${answer.text.slice(0, 200)}`)
  }
  await delay(1_500)

  const filler = join(disk, 'filler')
  fillDisk(filler, disk, (guardMib + 24) * mib)
  const began = performance.now()
  while (refusedAt === 0 && performance.now() - began < 60_000) await delay(50)
  if (refusedAt === 0) findings.add('never refused', 'no 507 within 60 s')
  if (guardMib === 0) fillDisk(`${filler}2`, disk, 0)
  const reads = new Map<number, number>()
  const client = new Client(victim.url, victim.adminKey)
  for (let i = 0; i < 10; i++) {
    await delay(400)
    const answer = await client.send('GET', '/v1/events?limit=10')
    reads.set(answer.status, (reads.get(answer.status) ?? 0) + 1)
    if (answer.status !== 200) findings.add('a read failed', `${answer.status} ${answer.text.slice(0, 200)}`)
  }
  client.close()
  const whileFull = Object.fromEntries(load.statuses)

  rmSync(filler)
  rmSync(`${filler}2`, { force: true })
  freedAt = performance.now()
  while (acceptedAgainMs === undefined && performance.now() - freedAt < 60_000) await delay(50)
  if (acceptedAgainMs === undefined) findings.add('never accepted again', 'no 202 within 60 s')
  await delay(1_000)
  const verdict = await session.verify(findings)
  if (!whileFull['507']) findings.add('no 507', JSON.stringify(whileFull))
  return { ...verdict, whileFull, reads: Object.fromEntries(reads), acceptedAgainMs }
}

function isProblem(answer: Answer, code: string): boolean {
  if (!String(answer.headers['content-type']).startsWith('application/problem+json')) return false
  return (JSON.parse(answer.text) as { code?: string }).code === code
}
