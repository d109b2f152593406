import { setTimeout as delay } from 'node:timers/promises'
import type { FleetProcess } from '../support/fleet/process.ts'

/** How long a process may take to get there, ms. */
const patienceMs = 60_000

/** On a port that others listen on, too, only the process itself can say that it is there. */
export async function listening(process: FleetProcess): Promise<void> {
  const lives = (): number => process.output().split('Splitstream listens at').length
  const before = lives()
  await process.start()
  await until(async () => lives() > before, `${process.name} listens`)
}

/** Looks again and again. @throws Error when it does not come to be so */
export async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + patienceMs; !(await isSo()); await delay(50)) {
    if (performance.now() > end) throw new Error(`for ${patienceMs} ms it was not so that ${what}`)
  }
}
