import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Findings } from './findings.ts'
import { copyImage, makeImage, mountImage, requireRoot, unmount } from './mounts.ts'
import { signal } from './processes.ts'
import { Random } from './random.ts'
import { Session } from './session.ts'
import { inPlace, judge, type Place } from './trial.ts'

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
    const passed = await inPlace({ name: 'power-cut', keep: o.keep }, (place) =>
      judge({ seed }, (findings) => cutOnce(seed, place, o, findings)),
    )
    if (passed) continue
    failed++
    console.log(`  again with: npm run chaos -- power-cut --runs 1 --from ${seed}`)
  }
  return failed
}

async function cutOnce(seed: number, place: Place, o: PowerCutOptions, findings: Findings) {
  const began = performance.now()
  const { home, disk, victim } = place
  const random = new Random(seed)
  const image = join(home, 'disk.img')
  const copy = join(home, 'copy.img')
  makeImage(image, 2048)
  mountImage(image, disk)
  await using session = await Session.start(place, { name: `${seed}`, random, eventsPerSecond: o.eventsPerSecond })
  const { ledger } = session

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
  const verdict = await session.verify(findings)
  const seconds = Math.round((performance.now() - began) / 100) / 10
  return { atCut: cut, ...verdict, copyMs, readyMs: victim.readyMs, seconds }
}
