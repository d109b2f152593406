import { setTimeout as delay } from 'node:timers/promises'
import { isReady } from '../../src/cli/server-process.ts'
import { signal } from './processes.ts'
import type { Random } from './random.ts'
import type { Victim } from './server.ts'

const targets = ['main', 'clickhouse', 'postmaster', 'backend'] as const
export type Target = (typeof targets)[number]

/** kill -9 of these, this long after the load began. */
export interface Strike {
  readonly atMs: number
  readonly targets: readonly Target[]
  /** When main is among them: how long until it is started again, ms. */
  readonly downMs: number
  /** Main is killed again so long after that start, to hit its recovery, ms. */
  readonly againMs: number | undefined
}

export interface Schedule {
  readonly loadMs: number
  readonly strikes: readonly Strike[]
}

/** One to three strikes within the load. */
export function makeSchedule(random: Random): Schedule {
  const loadMs = random.int(4000, 6000)
  const strikes = Array.from({ length: random.int(1, 3) }, () => {
    const list = random.chance(0.25) ? targets.filter(() => random.chance(0.6)) : [random.pick(targets)]
    return {
      atMs: random.int(400, loadMs - 200),
      targets: list.length > 0 ? list : (['main'] as const),
      downMs: random.chance(0.5) ? 0 : random.int(0, 600),
      againMs: random.chance(0.2) ? random.int(30, 1500) : undefined,
    }
  })
  return { loadMs, strikes: strikes.toSorted((a, b) => a.atMs - b.atMs) }
}

/** What came of the strikes. */
export interface Hits {
  /** What was hit, and when, for people. */
  readonly told: readonly string[]
  /** Strikes that found nothing to hit, though they waited for it. */
  readonly missed: readonly Strike[]
  /** For how long there was no server, because main had been killed. */
  readonly downMs: number
}

/** How long a strike waits for a target that an earlier one has taken away. */
const waitForTargetMs = 10_000

/** Carries the strikes out. Resolves when the last one is done and the server is up. */
export async function strikeAll(victim: Victim, strikes: readonly Strike[]): Promise<Hits> {
  const began = performance.now()
  const told: string[] = []
  const missed: Strike[] = []
  let downMs = 0
  for (const strike of strikes) {
    await delay(Math.max(0, began + strike.atMs - performance.now()))
    const hit = await hitSome(victim, strike)
    const at = performance.now()
    told.push(`${Math.round(at - began)} ms: ${hit.join('+') || 'nothing was there'}`)
    if (hit.length === 0) missed.push(strike)
    if (!hit.includes('main')) continue
    await victim.now.exited
    await delay(strike.downMs)
    if (strike.againMs !== undefined) told.push(await startAndKill(victim, strike.againMs))
    await victim.start()
    downMs += performance.now() - at
  }
  return { told, missed, downMs }
}

/** Kills those of the strike's targets that are there; waits for the first one. */
async function hitSome(victim: Victim, { targets, atMs }: Strike): Promise<Target[]> {
  for (const until = performance.now() + waitForTargetMs; ; await delay(20)) {
    const { main, clickhouse, postmaster, backends } = victim.processes
    const found = { main, clickhouse, postmaster, backend: backends[atMs % Math.max(1, backends.length)] }
    const hit = targets.filter((t) => found[t] !== undefined && signal(found[t].pid, 'SIGKILL'))
    if (hit.length > 0 || performance.now() > until) return hit
  }
}

/** Starts the server and kills it while it recovers. */
async function startAndKill(victim: Victim, afterMs: number): Promise<string> {
  const start = victim.start().then(
    () => 'it was ready already',
    () => 'it was not ready yet',
  )
  await delay(afterMs)
  const ready = await isReady(victim.url)
  const { main } = victim.processes
  if (main) signal(main.pid, 'SIGKILL')
  await start
  return `main ${afterMs} ms into its start (${ready ? 'ready' : 'not ready'})`
}
