import type { Row } from '../figures.ts'
import { describeMachine } from '../machine.ts'
import { rowTable } from '../report.ts'
import { table } from '../table.ts'
import type { AdmissionCost } from './admission-cost.ts'
import { patienceMs } from './job.ts'
import {
  calmPart,
  capacityConnections,
  eventsPerRequest,
  type OverloadFigures,
  type OverloadPlan,
  overloadConnections,
  overloadFactor,
  rarePerSecond,
  recoveryLookSeconds,
} from './measure.ts'
import { type NoisyFigures, noisyConnections, noisyFactor, othersPerSecond, quotaPerSecond } from './noisy.ts'

export interface AllOverloadFigures {
  readonly overload: OverloadFigures
  readonly noisy: NoisyFigures
  readonly admission: AdmissionCost
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US')
const requests = (value: number): string => `${whole(value)} requests/s`

/** The figures, each held against its target. */
export function overloadRows({ overload: o, noisy, admission }: AllOverloadFigures): Row[] {
  const goodput = o.overload.good / o.capacity.good
  const memory = o.overloadMib / o.capacityMib
  const plain = (figure: string, measured: string): Row => ({ figure, measured, target: '' })
  const refused = Object.entries(o.overload.refused).map(([status, rate]) => `${whole(rate)} × ${status}`)
  return [
    plain('1 capacity: acknowledged when no more is sent than is answered', requests(o.capacity.good)),
    plain(`2 overload: arrived`, requests(o.overload.arrived)),
    plain(
      `2 of these never sent, as all ${overloadConnections} connections waited for an answer`,
      requests(o.overload.blocked),
    ),
    plain(`2 acknowledged within ${patienceMs / 1000} s`, requests(o.overload.good)),
    {
      figure: '2 goodput / capacity',
      measured: goodput.toFixed(2),
      target: '≥ 0.95',
      met: goodput >= 0.95,
    },
    plain(
      '2 CPU time of the main process for an acknowledged request, overload / capacity',
      `${(o.overloadCpuMs / o.capacityCpuMs).toFixed(2)} (${o.overloadCpuMs.toFixed(2)} / ${o.capacityCpuMs.toFixed(2)} ms)`,
    ),
    plain('2 refused, a second', refused.join(', ') || 'none'),
    plain('2 acknowledged later, a second', whole(o.overload.late)),
    plain('2 acknowledged: p50, p99', `${whole(o.overload.p50Ms)} ms, ${whole(o.overload.p99Ms)} ms`),
    plain(
      `2 of another tenant’s ${rarePerSecond} requests/s: acknowledged in time, p99`,
      `${((100 * o.rare.good) / o.rare.arrived).toFixed(1)} %, ${whole(o.rare.p99Ms)} ms`,
    ),
    {
      figure: '3 memory of the main process, peak: overload / capacity',
      measured: `${memory.toFixed(2)} (${whole(o.overloadMib)} / ${whole(o.capacityMib)} MiB)`,
      target: '≤ 1.5',
      met: memory <= 1.5,
    },
    {
      figure: '4 recovery',
      measured: Number.isFinite(o.recoverySeconds)
        ? `${o.recoverySeconds.toFixed(1)} s`
        : `not within ${recoveryLookSeconds} s`,
      target: '≤ 10 s',
      met: o.recoverySeconds <= 10,
    },
    plain('4 p99 before, and after', `${o.before.p99Ms.toFixed(1)} ms, ${o.after.p99Ms.toFixed(1)} ms`),
    plain('4 all stored, after the load', `${o.storedSeconds.toFixed(1)} s`),
    {
      figure: '5 noisy tenant: p99 of others, ten times its quota / its quota',
      measured: `${noisy.ratio.toFixed(2)} (${noisy.noisyMs.toFixed(1)} / ${noisy.keptMs.toFixed(1)} ms)`,
      target: '≤ 1.2',
      met: noisy.ratio <= 1.2,
    },
    plain('5 of the noisy tenant passed and refused', `${requests(noisy.passed)}, ${requests(noisy.refused)}`),
    plain('6 admission of a request, without quotas', `${admission.withoutQuotas.toFixed(2)} µs`),
    {
      figure: '6 with four quotas, in memory',
      measured: `${admission.withQuotas.toFixed(2)} µs`,
      target: '≤ 2 µs',
      met: admission.withQuotas <= 2,
    },
  ]
}

/** For the terminal. */
export const overloadTable = (figures: AllOverloadFigures): string => rowTable(overloadRows(figures))

/** docs/bench-overload.md. */
export function overloadDocument(figures: AllOverloadFigures, plan: OverloadPlan): string {
  const { overload } = figures
  return `# Bench of overload

Written by \`npm run bench -- --overload${plan.quick ? ' --quick' : ''}\` (test/bench/overload); do not edit. All figures are of one run on one machine,
with the load generators on the same cores as the server. What is done about overload: [limits](limits.md).
${plan.quick ? '\n**A quick run**: a sixth of the time, so a p99 rests on few samples.\n' : ''}
${table([['machine', ''], ...describeMachine()])}

${overloadTable(figures)}

## How

1. Requests with ${eventsPerRequest} events in NDJSON, distinct ids, as fast as ${capacityConnections} connections go, after a warm-up; before 2 and after 4, together.
2. ${overloadFactor} times as many for ${plan.overloadSeconds} s, in an open loop over ${overloadConnections} connections: a request arrives when it is due, whatever became of those
   before it, and nobody heeds \`Retry-After\`. One that finds all connections waiting for an answer is not sent; it counts as
   arrived, and the server saw ${whole(overload.overload.arrived - overload.overload.blocked)} requests a second.
   The latency counts from the arrival, and what is acknowledged after ${patienceMs / 1000} s does not count. The generator took
   ${overload.generatorCores.toFixed(2)} cores.
3. \`VmHWM\` of the main process over 2 and over 1.
4. ${calmPart} of the capacity, before, and at once after the overload: until for two seconds nothing is refused or late, and the p99 of each half
   second is at most twice that before (or 50 ms).
5. One tenant sends ${othersPerSecond} single events a second. Another one with a quota of ${quotaPerSecond} requests a second sends ${quotaPerSecond} of ${eventsPerRequest} events, and in turn
   ${noisyFactor} times as many over ${noisyConnections} connections; ${plan.noisyRounds} rounds of ${plan.noisySeconds} s each. Medians; a ratio is taken in each round. It
   is compared with the noisy tenant at its quota, ${quotaPerSecond * eventsPerRequest} events a second, and not with its silence: the ratio is what sending more than that does to others.
6. The calls that the edge makes for admission, in a loop, with a hundred keys of ten tenants; medians of 15 rounds.
`
}
