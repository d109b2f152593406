import { progress } from '../progress.ts'
import { median } from '../stats.ts'
import type { Subject } from '../subject.ts'
import type { Load } from './job.ts'
import { makeKey } from './key.ts'
import { eventsPerRequest, type OverloadPlan } from './measure.ts'
import { runLoad } from './start.ts'
import { type Sums, sumsOf } from './sums.ts'

export const quotaPerSecond = 50
export const noisyFactor = 10
export const othersPerSecond = 200
export const noisyConnections = 50

export interface NoisyFigures {
  /** Medians over the rounds: p99 of the other tenant while the noisy one keeps to its quota, and while it sends ten times as much. */
  readonly keptMs: number
  readonly noisyMs: number
  /** Median of the ratios of each round. */
  readonly ratio: number
  /** Of the noisy tenant, in its noisy phases: passed and refused a second. */
  readonly passed: number
  readonly refused: number
}

/** A tenant that sends ten times its quota, beside one that sends a few events. Who begins changes from round to round. */
export async function measureNoisy(plan: OverloadPlan, { server }: Subject): Promise<NoisyFigures> {
  const { url, adminKey } = server
  const others = await makeKey(url, adminKey, { name: 'others', tenant: 'others' })
  const noisy = await makeKey(url, adminKey, {
    ...{ name: 'noisy', tenant: 'noisy', quota: { requestsPerSecond: quotaPerSecond } },
  })
  const common = { url, seconds: plan.noisySeconds }
  let phases = 0
  const phase = async (rate: number): Promise<{ others: Sums; noisy: Sums }> => {
    phases++
    const tag = (letter: string): string => `${letter}${phases.toString(36)}`
    const rare: Load = { ...common, key: others, tag: tag('o'), events: 1, rate: othersPerSecond, connections: 32 }
    const loud = { ...common, key: noisy, tag: tag('n'), events: eventsPerRequest, rate, connections: noisyConnections }
    const [a, b] = await Promise.all([runLoad(rare), runLoad(loud)])
    // The first second is the start of the generators, and a quota that is whole.
    return { others: sumsOf(a.slices.slice(2)), noisy: sumsOf(b.slices.slice(2)) }
  }
  const rounds: { kept: Sums; loud: Sums; noisy: Sums }[] = []
  await phase(quotaPerSecond)
  for (let i = 0; i < plan.noisyRounds; i++) {
    progress(`noisy tenant: round ${i + 1} of ${plan.noisyRounds}`)
    const first = await phase(i % 2 === 0 ? quotaPerSecond : quotaPerSecond * noisyFactor)
    const second = await phase(i % 2 === 0 ? quotaPerSecond * noisyFactor : quotaPerSecond)
    const [kept, loud] = i % 2 === 0 ? [first, second] : [second, first]
    rounds.push({ kept: kept.others, loud: loud.others, noisy: loud.noisy })
  }
  return {
    keptMs: median(rounds.map(({ kept }) => kept.p99Ms)),
    noisyMs: median(rounds.map(({ loud }) => loud.p99Ms)),
    ratio: median(rounds.map(({ kept, loud }) => loud.p99Ms / kept.p99Ms)),
    passed: median(rounds.map(({ noisy: of }) => of.good + of.late)),
    refused: median(rounds.map(({ noisy: of }) => of.refused['429'] ?? 0)),
  }
}
