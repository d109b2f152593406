import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Answer } from './client.ts'
import { Client } from './client.ts'
import { Findings } from './findings.ts'
import { Ledger } from './ledger.ts'
import { isRightlyRefused, Load } from './load.ts'
import { mountTmpfs, requireRoot, unmount } from './mounts.ts'
import { Random } from './random.ts'
import { Victim } from './server.ts'
import { awaitStored, verifyRawRows, verifyThroughApi } from './verify.ts'

const mib = 1 << 20

/**
 * The disk fills up under load and is freed again. Twice: once the guard refuses in time (MIN_FREE_BYTES), once it is off
 * and the writes themselves fail. 507 and never a false ack; reads go on; afterwards everything acknowledged is stored.
 */
export async function runDiskFull(o: { from: number; eventsPerSecond: number; keep: boolean }): Promise<number> {
  requireRoot('disk-full')
  let failed = 0
  for (const guardMib of [64, 0]) {
    const findings = new Findings()
    const home = await mkdtemp(join(tmpdir(), 'splitstream-full-'))
    const disk = join(home, 'disk')
    mountTmpfs(disk, 768)
    const victim = await Victim.create(join(disk, 'data'), { MIN_FREE_BYTES: String(guardMib * mib) })
    const verdict = await fillOnce(guardMib, home, disk, victim, o, findings).catch((error: unknown) => {
      findings.add('harness or server', error instanceof Error ? (error.stack ?? error.message) : String(error))
      return {}
    })
    console.log(JSON.stringify({ guardMib, ...verdict, ok: findings.ok, findings }))
    await victim.end()
    await writeFile(join(home, 'server.log'), victim.output())
    unmount(disk)
    if (findings.ok && !o.keep) await rm(home, { recursive: true, force: true })
    else console.log(`  kept: ${home}`)
    if (!findings.ok) failed++
  }
  return failed
}

async function fillOnce(
  guardMib: number,
  home: string,
  disk: string,
  victim: Victim,
  o: { from: number; eventsPerSecond: number },
  findings: Findings,
) {
  await victim.start()
  const tenants = await victim.tenants()
  const ledger = await Ledger.open(join(home, 'ledger.ndjson'))
  const source = `/disk-full/${guardMib}`
  const random = new Random(o.from)
  const load = new Load({
    url: victim.url,
    tenants,
    source,
    ledger,
    random,
    eventsPerSecond: o.eventsPerSecond,
    senders: 8,
  })
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
  fill(filler, disk, (guardMib + 24) * mib)
  const began = performance.now()
  while (refusedAt === 0 && performance.now() - began < 60_000) await delay(50)
  if (refusedAt === 0) findings.add('never refused', 'no 507 within 60 s')
  if (guardMib === 0) fill(`${filler}2`, disk, 0)
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
  await load.stop()
  await awaitStored(victim.url, await load.mark(), 60_000)
  await verifyThroughApi(victim.url, { ledger, source, tenants }, findings)
  await victim.stop()
  await verifyRawRows(victim.dataDir, [{ ledger, source, tenants }], findings)
  await ledger.close()
  if (!whileFull['507']) findings.add('no 507', JSON.stringify(whileFull))
  return { ...ledger.counts(), whileFull, reads: Object.fromEntries(reads), acceptedAgainMs }
}

function isProblem(answer: Answer, code: string): boolean {
  if (!String(answer.headers['content-type']).startsWith('application/problem+json')) return false
  return (JSON.parse(answer.text) as { code?: string }).code === code
}

/** Writes a file until only `leave` bytes are free. */
function fill(path: string, disk: string, leave: number): void {
  const file = openSync(path, 'w')
  try {
    const block = Buffer.alloc(mib)
    for (;;) {
      const { bavail, bsize } = statfsSync(disk)
      const room = bavail * bsize - leave
      if (room <= 0) break
      if (writeSync(file, block, 0, Math.min(mib, room)) === 0) break
    }
    fsyncSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error // full is what was wanted
  } finally {
    closeSync(file)
  }
}
