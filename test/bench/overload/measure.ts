import { cpuSeconds, peakRssMib, resetPeak } from '../proc.ts'
import { progress } from '../progress.ts'
import { percentile } from '../stats.ts'
import type { Subject } from '../subject.ts'
import { type Load, type Slice, sliceMs } from './job.ts'
import { makeKey } from './key.ts'
import { runLoad } from './start.ts'
import { untilAllStored } from './stored.ts'
import { type Sums, sumsOf } from './sums.ts'

export interface OverloadPlan {
  readonly quick: boolean
  readonly overloadSeconds: number
  readonly capacitySeconds: number
  readonly calmSeconds: number
  readonly noisyRounds: number
  readonly noisySeconds: number
}

export const overloadPlanOf = (quick: boolean): OverloadPlan =>
  quick
    ? { quick, overloadSeconds: 20, capacitySeconds: 6, calmSeconds: 6, noisyRounds: 3, noisySeconds: 4 }
    : { quick, overloadSeconds: 120, capacitySeconds: 20, calmSeconds: 12, noisyRounds: 7, noisySeconds: 10 }

export const overloadFactor = 5
/** As an SDK sends them. */
export const eventsPerRequest = 100
export const overloadConnections = 2_000
/** Of a tenant that has nothing to do with it. */
export const rarePerSecond = 50
export const capacityConnections = 64
/** For how long it is looked whether answers are as fast as before. */
export const recoveryLookSeconds = 15
/** Part of the capacity that the process has before and after. */
export const calmPart = 0.3

export interface OverloadFigures {
  /** Requests acknowledged per second when no more are sent than are answered. */
  readonly capacity: Sums
  readonly capacityMib: number
  readonly before: Sums
  readonly overload: Sums
  /** Of the other tenant, meanwhile. */
  readonly rare: Sums
  readonly overloadMib: number
  readonly after: Sums
  /** From the end of the overload until answers are as fast as before again, s; Infinity: not while it was looked. */
  readonly recoverySeconds: number
  /** From the end of the load after it until all was stored, s. */
  readonly storedSeconds: number
  readonly generatorCores: number
  /** CPU time of the main process for an acknowledged request, ms. */
  readonly capacityCpuMs: number
  readonly overloadCpuMs: number
}

/** Overload: how much is served of five times what can be. */
export async function measureOverload(plan: OverloadPlan, { server }: Subject): Promise<OverloadFigures> {
  const load = (
    tag: string,
    connections: number,
    seconds: number,
    rate?: number,
  ): Promise<{ slices: readonly Slice[]; cpuSeconds: number }> => {
    const base: Load = { url: server.url, key: server.adminKey, tag, events: eventsPerRequest, connections, seconds }
    return runLoad(rate === undefined ? base : { ...base, rate })
  }
  progress('overload: warming up')
  await load('wa', capacityConnections, plan.capacitySeconds / 2)
  await untilAllStored(server)
  progress('overload: what can be served')
  resetPeak(server.pid)
  let cpu = cpuSeconds(server.pid)
  const first = await load('ca', capacityConnections, plan.capacitySeconds)
  let capacity = sumsOf(first.slices)
  const capacityCpuMs = cpuMsOf(cpuSeconds(server.pid) - cpu, plan.capacitySeconds, capacity)
  const capacityMib = peakRssMib(server.pid)
  await untilAllStored(server)
  progress(`overload: ${Math.round(capacity.good)} requests/s; now ${calmPart} of that`)
  const calmRate = capacity.good * calmPart
  const before = sumsOf((await load('be', capacityConnections, plan.calmSeconds, calmRate)).slices)
  const rate = capacity.good * overloadFactor
  progress(
    `overload: p99 ${before.p99Ms.toFixed(1)} ms; now ${Math.round(rate)} requests/s for ${plan.overloadSeconds} s`,
  )
  resetPeak(server.pid)
  cpu = cpuSeconds(server.pid)
  const key = await makeKey(server.url, server.adminKey, { name: 'rare', tenant: 'rare' })
  const seconds = plan.overloadSeconds
  const [flood, other] = await Promise.all([
    load('ov', overloadConnections, seconds, rate),
    runLoad({ url: server.url, key, tag: 'ra', events: 1, rate: rarePerSecond, connections: 64, seconds }),
  ])
  const overload = sumsOf(flood.slices)
  const overloadCpuMs = cpuMsOf(cpuSeconds(server.pid) - cpu, plan.overloadSeconds, overload)
  const overloadMib = peakRssMib(server.pid)
  progress(`overload: ${Math.round(overload.good)} requests/s served; recovery`)
  const calm = await load('af', capacityConnections, recoveryLookSeconds, calmRate)
  const from = performance.now()
  await untilAllStored(server)
  const storedSeconds = (performance.now() - from) / 1_000
  progress('overload: what can be served, again')
  // The machine may have changed its pace meanwhile: both together are what the overload is held against.
  capacity = sumsOf([...first.slices, ...(await load('cb', capacityConnections, plan.capacitySeconds)).slices])
  return {
    ...{ capacity, capacityMib, before, overload, overloadMib, rare: sumsOf(other.slices) },
    after: sumsOf(calm.slices.slice(-10)),
    recoverySeconds: recoveryOf(calm.slices, before),
    storedSeconds,
    generatorCores: flood.cpuSeconds / plan.overloadSeconds,
    ...{ capacityCpuMs, overloadCpuMs },
  }
}

const cpuMsOf = (cpu: number, seconds: number, { good, late }: Sums): number => (1_000 * cpu) / seconds / (good + late)

/** From when on two seconds are as before: nothing refused or late, and the p99 of each slice at most twice as high, or 50 ms. */
function recoveryOf(slices: readonly Slice[], before: Sums): number {
  const bound = Math.max(50, 2 * before.p99Ms)
  const good = slices.map(
    ({ refused, late, blocked, latencies }) =>
      Object.keys(refused).length + late + blocked === 0 && percentile(latencies, 0.99) <= bound,
  )
  const first = good.findIndex((_, i) => i + 4 <= good.length && good.slice(i, i + 4).every(Boolean))
  return first < 0 ? Number.POSITIVE_INFINITY : (first * sliceMs) / 1_000
}
