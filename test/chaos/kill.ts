import { setTimeout as delay } from 'node:timers/promises'
import type { Findings } from './findings.ts'
import type { Tenant } from './load.ts'
import { Random } from './random.ts'
import { makeSchedule, strikeAll } from './schedule.ts'
import { Session } from './session.ts'
import { inPlace, judge, type Place } from './trial.ts'
import type { Expectation } from './verify.ts'

export interface KillOptions {
  readonly from: number
  readonly seeds: number
  readonly eventsPerSecond: number
  readonly keep: boolean
}

/**
 * Of the load that is asked for, the part that has to be acknowledged while there is a server: 5,000/s of 8,000/s, in the
 * mean of all seeds. One seed alone may have a strike that leaves less.
 */
const leastPerSecond = (asked: number): number => Math.floor(asked * 0.625)

/** Seeds that share a data directory: later ones start on what earlier ones left. */
const seedsPerDataDir = 5

/** kill -9 of the server's processes under load. Returns the number of seeds that failed. */
export async function runKill(o: KillOptions): Promise<number> {
  let failed = 0
  const rates: number[] = []
  for (let seed = o.from; seed < o.from + o.seeds; ) {
    // Groups lie at fixed seeds, so that a seed run alone differs only in what its predecessors left behind.
    const end = Math.min(o.from + o.seeds, (Math.floor(seed / seedsPerDataDir) + 1) * seedsPerDataDir)
    failed += await runGroup(seed, end, o, rates)
    seed = end
  }
  const ackedPerSecond = Math.round(rates.reduce((sum, rate) => sum + rate, 0) / Math.max(1, rates.length))
  const asked = leastPerSecond(o.eventsPerSecond)
  const ok = ackedPerSecond >= asked
  console.log(JSON.stringify({ kill: 'load of all seeds', ackedPerSecond, asked, ok }))
  return ok ? failed : failed + 1
}

/** What the seeds of a group hand on. */
interface Group {
  readonly done: Expectation[]
  tenants: readonly Tenant[] | undefined
}

async function runGroup(from: number, end: number, o: KillOptions, rates: number[]): Promise<number> {
  const random = new Random(1_000_003 * Math.floor(from / seedsPerDataDir))
  // A small window of the seen-index makes retries reach beyond it.
  const env = { SEEN_KEYS: random.chance(0.5) ? '10000' : '2000000' }
  const passed = await inPlace({ name: 'kill', env, keep: o.keep }, async (place) => {
    const group: Group = { done: [], tenants: undefined }
    for (let seed = from; seed < end; seed++) {
      const run = async (findings: Findings) => {
        const verdict = await runSeed(seed, place, group, o, findings)
        rates.push(verdict.ackedPerSecond)
        return verdict
      }
      if (await judge({ seed }, run)) continue
      console.log(`  again with: npm run chaos -- kill --seeds ${seed - from + 1} --from ${from}`)
      return false // what is on this disk is the evidence; later seeds would blur it
    }
    return true
  })
  return passed ? 0 : 1
}

async function runSeed(seed: number, place: Place, group: Group, o: KillOptions, findings: Findings) {
  const began = performance.now()
  const { victim } = place
  const random = new Random(seed)
  const { loadMs, strikes } = makeSchedule(random.fork())
  const starts = victim.readyMs.length
  const { tenants } = group
  await using session = await Session.start(place, {
    name: `${seed}`,
    random,
    eventsPerSecond: o.eventsPerSecond,
    tenants,
  })
  const earlier = [...group.done]
  group.done.push(session.expectation)
  group.tenants = session.expectation.tenants

  const [{ told, missed, downMs }] = await Promise.all([strikeAll(victim, strikes), delay(loadMs)])
  const verdict = await session.verify(findings, { earlier, downMs })
  for (const { targets } of missed) findings.add('a strike hit nothing', targets.join('+'))
  return {
    strikes: told,
    downMs: Math.round(downMs),
    ...verdict,
    readyMs: victim.readyMs.slice(starts),
    seconds: Math.round((performance.now() - began) / 100) / 10,
  }
}
