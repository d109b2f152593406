import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { signal } from '../processes.ts'
import { inFolder, judge } from '../trial.ts'
import { runDatabaseClock, runWorkerClocks } from './clocks.ts'
import { emittedParts } from './emitted-events.ts'
import { hostileParts } from './hostile.ts'
import { runOneLock } from './locks.ts'
import { runMatrix } from './matrix.ts'
import { inSagaPlace, type Part, type SagaPlace } from './place.ts'
import { redisParts } from './redis.ts'
import { runConnectionsCut, runRollingRestart } from './restarts.ts'
import { runStartedByEvents } from './started-by-events.ts'
import { runStuckUndo } from './stuck-undo.ts'
import { runTakeover } from './takeover.ts'
import { zombieParts } from './zombies.ts'

export interface SagaRunOptions {
  readonly from: number
  /** Of the crash matrix. */
  readonly seeds: number
  readonly keep: boolean
  /** The name of one part, of a run that has several. */
  readonly only?: string | undefined
}

/** Besides the matrix: what happens to sagas, part by part, in the order in which it can happen to one installation. */
const parts: Readonly<Record<string, Readonly<Record<string, Part>>>> = {
  recovery: {
    'kill -9 of one of three': runTakeover,
    'a stuck undo': runStuckUndo,
    'rolling restart': runRollingRestart,
    'connections cut': runConnectionsCut,
    'one lock for all': runOneLock,
  },
  zombies: { ...zombieParts, ...redisParts },
  hostile: hostileParts,
  events: { 'started by events': runStartedByEvents, ...emittedParts },
  clocks: { 'of the workers': runWorkerClocks, 'of the database': runDatabaseClock },
}

export const sagaRuns: readonly string[] = ['matrix', ...Object.keys(parts)]

/**
 * Faults for sagas, on one installation after another.
 * @returns how many seeds and parts broke a promise. @throws Error when there is no part of that name
 */
export async function runSagaFaults(names: readonly string[], o: SagaRunOptions): Promise<number> {
  const { from, seeds, only } = o
  const chosen = names.flatMap((run) => Object.entries(parts[run] ?? {}).map(([part, work]) => ({ run, part, work })))
  if (only !== undefined && !chosen.some(({ part }) => part === only)) {
    throw new Error(`--only: there is no part "${only}"; there are ${chosen.map(({ part }) => part).join(', ')}`)
  }
  let failed = 0
  await inFolder({ name: 'sagas', keep: o.keep }, (home) =>
    inSagaPlace(home, async (place) => {
      if (names.includes('matrix') && only === undefined) failed += await runMatrix(place.installation, from, seeds)
      for (const { run, part, work } of chosen) {
        if (only === undefined || only === part) failed += await runPart(place, { run, part }, work, from)
      }
      await writeFile(join(home, 'processes.log'), place.installation.fleet.output())
      return failed === 0
    }),
  )
  return failed
}

async function runPart(
  place: SagaPlace,
  label: { run: string; part: string },
  work: Part,
  seed: number,
): Promise<number> {
  const passed = await judge(label, async (findings) => {
    await place.installation.atLeast(3)
    const verdict = await work(place, seed, findings)
    for (const { process } of place.installation.alive) {
      if (!signal(process.pid!, 0)) findings.add('a worker ended by itself', process.name)
    }
    return verdict
  })
  return passed ? 0 : 1
}
