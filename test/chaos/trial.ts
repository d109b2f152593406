import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Findings } from './findings.ts'
import { unmount } from './mounts.ts'
import { Victim } from './server.ts'

export interface TrialOptions {
  /** Part of the name of its directory. */
  readonly name: string
  readonly env?: Record<string, string>
  /** Keeps the directory also when the trial passed. */
  readonly keep: boolean
}

/** A directory of its own, with a server that is not started yet. */
export interface Place {
  readonly home: string
  /** Holds the data directory: a folder of `home`, where a file system may be mounted before the first start. */
  readonly disk: string
  readonly victim: Victim
}

/** Gives `trial` a folder, which stays as evidence when it failed. */
export async function inFolder(
  o: Pick<TrialOptions, 'name' | 'keep'>,
  trial: (home: string) => Promise<boolean>,
): Promise<boolean> {
  const home = await mkdtemp(join(tmpdir(), `splitstream-${o.name}-`))
  let passed = false
  try {
    passed = await trial(home)
  } finally {
    if (passed && !o.keep) await rm(home, { recursive: true, force: true })
    else console.log(`  kept: ${home}`)
  }
  return passed
}

/** Gives `trial` a place to happen, and clears it away afterwards, or keeps it as evidence when the trial failed. */
export async function inPlace(o: TrialOptions, trial: (place: Place) => Promise<boolean>): Promise<boolean> {
  return await inFolder(o, async (home) => {
    const disk = join(home, 'disk')
    const victim = await Victim.create(join(disk, 'data'), { MIN_FREE_BYTES: '0', ...o.env })
    try {
      return await trial({ home, disk, victim })
    } finally {
      await victim.end()
      await writeFile(join(home, 'server.log'), victim.output())
      unmount(disk)
    }
  })
}

/** Prints what a check came to as one line of JSON. An error of it is a finding. Returns whether nothing was found. */
export async function judge(label: object, check: (findings: Findings) => Promise<object>): Promise<boolean> {
  const findings = new Findings()
  const verdict = await check(findings).catch((error: unknown) => {
    findings.add('harness or server', error instanceof Error ? (error.stack ?? error.message) : String(error))
    return {}
  })
  console.log(JSON.stringify({ ...label, ...verdict, ok: findings.ok, findings }))
  return findings.ok
}
