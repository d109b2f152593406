import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { type Check, type Finding, ok, warn } from './check.ts'
import { ms } from './units.ts'

const watchMs = 1_500
/** What a clock may run off within that, ms: the kernel slews by 0.05 % at most. */
const offMs = 5

/** Whether the wall clock runs evenly, and whether anything keeps it right. */
export function clockCheck(): Check {
  return { name: 'clock', run: async (signal) => judgeClock(await drift(signal), await synchronised()) }
}

export function judgeClock(offBy: number, synced: boolean | undefined): Finding {
  const found = `${ms(Math.abs(offBy))} off within ${watchMs / 1000} s, ${synced === undefined ? 'synchronisation is not known' : synced ? 'synchronised' : 'not synchronised'}`
  if (Math.abs(offBy) > offMs) {
    return warn(
      found,
      'the wall clock is being set, or runs unevenly: events without a time get wrong ones; look after NTP',
    )
  }
  if (synced === false) {
    return warn(
      found,
      'nothing keeps it right: events without a time, keys that expire and timers of sagas go by it; set up NTP',
    )
  }
  return ok(found)
}

/** How far the wall clock moved away from the monotonic one, ms. */
async function drift(signal: AbortSignal): Promise<number> {
  const [wall, steady] = [Date.now(), performance.now()]
  await delay(watchMs, undefined, { signal })
  return Date.now() - wall - (performance.now() - steady)
}

/** Undefined where nobody can say, as in most containers. */
async function synchronised(): Promise<boolean | undefined> {
  const byFile = await access('/run/systemd/timesync/synchronized').then(
    () => true,
    () => undefined,
  )
  if (byFile) return true
  const said = await new Promise<string>((resolve) => {
    const options = { timeout: 1_000 }
    execFile('timedatectl', ['show', '--property=NTPSynchronized', '--value'], options, (_, out) => resolve(out.trim()))
  })
  return said === 'yes' ? true : said === 'no' ? false : undefined
}

/** Between this machine and another one. */
const skewMs = 1_000

/** @param there the other clock, ms since the epoch, read `tookMs` or less before now */
export function skewOf(there: number, tookMs: number): string | undefined {
  const skew = Math.abs(Date.now() - there)
  return skew > skewMs + tookMs ? `its clock and this one are ${ms(skew)} apart: synchronise both` : undefined
}
