import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Findings } from './findings.ts'
import { Ledger } from './ledger.ts'
import { Load } from './load.ts'
import { copyImage, makeImage, mountImage, requireRoot, unmount } from './mounts.ts'
import { signal } from './processes.ts'
import { Random } from './random.ts'
import { Victim } from './server.ts'
import { awaitStored, verifyRawRows, verifyThroughApi } from './verify.ts'

export interface PowerCutOptions {
  readonly from: number
  readonly runs: number
  readonly eventsPerSecond: number
  readonly keep: boolean
}

/**
 * Power cuts. The data directory lies on an ext4 image; at a seeded instant the image is copied while it is mounted. What
 * was written and not synced is in the page cache above the image, and so it is missing from the copy: as after a power
 * cut. The server is stopped (SIGSTOP) for the copy, so that it shows one instant. Only what was acknowledged before that
 * has to be on it. Returns the number of runs that failed.
 */
export async function runPowerCut(o: PowerCutOptions): Promise<number> {
  requireRoot('power-cut')
  let failed = 0
  for (let seed = o.from; seed < o.from + o.runs; seed++) {
    const findings = new Findings()
    const home = await mkdtemp(join(tmpdir(), 'splitstream-power-'))
    const disk = join(home, 'disk')
    const victim = await Victim.create(join(disk, 'data'), { MIN_FREE_BYTES: '0' })
    const verdict = await cutOnce(seed, home, disk, victim, o, findings).catch((error: unknown) => {
      findings.add('harness or server', error instanceof Error ? (error.stack ?? error.message) : String(error))
      return {}
    })
    console.log(JSON.stringify({ seed, ...verdict, ok: findings.ok, findings }))
    await victim.end()
    await writeFile(join(home, 'server.log'), victim.output())
    unmount(disk)
    if (findings.ok && !o.keep) await rm(home, { recursive: true, force: true })
    else console.log(`  kept: ${home}`)
    if (findings.ok) continue
    failed++
    console.log(`  again with: npm run chaos -- power-cut --runs 1 --from ${seed}`)
  }
  return failed
}

async function cutOnce(
  seed: number,
  home: string,
  disk: string,
  victim: Victim,
  o: PowerCutOptions,
  findings: Findings,
) {
  const began = performance.now()
  const random = new Random(seed)
  const image = join(home, 'disk.img')
  const copy = join(home, 'copy.img')
  makeImage(image, 2048)
  mountImage(image, disk)
  await victim.start()
  const tenants = await victim.tenants()
  const ledger = await Ledger.open(join(home, 'ledger.ndjson'))
  const source = `/power-cut/${seed}`
  const load = new Load({
    url: victim.url,
    tenants,
    source,
    ledger,
    random,
    eventsPerSecond: o.eventsPerSecond,
    senders: 8,
  })

  await delay(random.int(2500, 7000))
  ledger.cut()
  const cut = ledger.counts()
  const { all } = victim.processes
  for (const { pid } of all) signal(pid, 'SIGSTOP')
  const copyBegan = performance.now()
  copyImage(image, copy)
  const copyMs = Math.round(performance.now() - copyBegan)
  await victim.end()
  unmount(disk)

  mountImage(copy, disk)
  await victim.start()
  ledger.resume()
  await load.stop()
  await awaitStored(victim.url, await load.mark(), 60_000)
  await verifyThroughApi(victim.url, { ledger, source, tenants }, findings)
  await victim.stop()
  await verifyRawRows(victim.dataDir, [{ ledger, source, tenants }], findings)
  await ledger.close()
  const seconds = Math.round((performance.now() - began) / 100) / 10
  return { atCut: cut, atEnd: ledger.counts(), copyMs, readyMs: victim.readyMs, seconds }
}
