import type { Row } from '../figures.ts'
import { describeMachine } from '../machine.ts'
import { isRealTime } from '../proc.ts'
import { rowTable } from '../report.ts'
import { table } from '../table.ts'
import type { DependencyFigures } from './dependency.ts'
import type { GrayFigures } from './gray.ts'
import type { FaultFigures } from './measure.ts'

const seconds = (ms: number | undefined): string => (ms === undefined ? 'never' : `${(ms / 1_000).toFixed(2)} s`)
const atMost = (ms: number | undefined, limit: number): boolean => ms !== undefined && ms <= limit
const percent = (part: number): string => `${(part * 100).toFixed(1)} %`

export const lessWork = ({ before, during }: DependencyFigures): number => 1 - during / before
export const p99Ratio = ({ beforeP99Ms, afterP99Ms }: GrayFigures): number => afterP99Ms / beforeP99Ms

function dependencyRows(one: DependencyFigures): Row[] {
  const row = (figure: string, measured: string, target: string, met: boolean): Row => ({
    figure: `1 ${one.product}: ${figure}`,
    measured,
    target,
    met,
  })
  const less = lessWork(one)
  return [
    row('breaker open after', seconds(one.openMs), '≤ 2 s', atMost(one.openMs, 2_000)),
    row('statements that reach ClickHouse, from 3 s on', `− ${percent(less)}`, '− 95 %', less >= 0.95),
    row('closed after the heal', seconds(one.closedMs), '≤ 5 s', atMost(one.closedMs, 5_000)),
    row('requests that took over 1.1 s', percent(one.slowShare), '≤ 0.5 %', one.slowShare <= 0.005),
    row('from 5 s after the heal, not answered afresh', String(one.notBack), '0', one.notBack === 0),
  ]
}

/** @param figure 2: instances of a link; 3: query processes behind the gateway */
function grayRows(n: 2 | 3, one: GrayFigures): Row[] {
  const row = (figure: string, measured: string, target: string, met: boolean): Row => ({
    figure: `${n} ${one.product}: ${figure}`,
    measured,
    target,
    met,
  })
  const ratio = p99Ratio(one)
  const p99 = `${ratio.toFixed(2)}x (${one.afterP99Ms.toFixed(1)} / ${one.beforeP99Ms.toFixed(1)} ms)`
  return [
    row('the slow one out of rotation after', seconds(one.outMs), '≤ 10 s', atMost(one.outMs, 10_000)),
    row('p99 of all requests from then on, against before', p99, '≤ 1.2x', ratio <= 1.2),
    row('out at once, of three', String(one.mostOut), '≤ 1', one.mostOut <= 1),
    row('looks at which another one was out', String(one.wellOut), 'no target', true),
    row(
      'checks that were red; requests that failed',
      `${one.redChecks}; ${one.failed}`,
      '0; 0',
      one.redChecks + one.failed === 0,
    ),
  ]
}

export const faultRows = ({ dependency, gray, gateway }: FaultFigures): Row[] => [
  ...dependency.flatMap(dependencyRows),
  ...gray.flatMap((one) => grayRows(2, one)),
  ...gateway.flatMap((one) => grayRows(3, one)),
]

/** What the product does is met, and of each copy that lacks it something is not: only then a figure proves anything. */
export function proven({ dependency, gray, gateway }: FaultFigures): boolean {
  const met = (rows: Row[]): boolean => rows.every((row) => row.met)
  const pairs = [
    dependency.map((one) => met(dependencyRows(one))),
    gray.map((one) => met(grayRows(2, one))),
    gateway.map((one) => met(grayRows(3, one))),
  ]
  return pairs.every(([asItIs, without]) => asItIs === true && without === false)
}

const loadOf = ({ loadBefore }: FaultFigures): string =>
  loadBefore.toFixed(1) + (isRealTime() ? '; everything measured went ahead of that (`chrt -r 1`)' : '')

/** docs/bench-faults.md. */
export function faultsDocument(figures: FaultFigures, quick: boolean): string {
  const ends = figures.dependency.map((one) => [
    one.product,
    ...[one.fresh, one.stale, one.refused, one.other].map((n) => n.toLocaleString('en-US')),
  ])
  return `# Bench of faults

Written by \`npm run bench -- --faults${quick ? ' --quick' : ''}\` (test/bench/faults); do not edit. All figures are of one run on one machine, with the
load generator, the proxies and all engines on the same cores as the servers. A load before the run of more than a half means that
the machine did other work as well, and then times are longer than the product's. What is measured is described in
[degradation](degradation.md).

${table([['machine', ''], ...describeMachine(), ['load before the run', loadOf(figures)]])}

${rowTable(faultRows(figures))}

How requests of figure 1 ended that were due while ClickHouse was far away:

${table([['', 'fresh', 'stale', '503 with Retry-After', 'otherwise'], ...ends])}

## How

1. A server whose ClickHouse is behind a TCP proxy (test/support/toxics) that delays what it says by 5 ms, then by 1,500 ms,
   then by 5 ms again. ${figures.rate} requests a second, whatever becomes of those before: nine of ten ask one of 20 questions, each
   tenth asks a new one. The state of the breaker is read from \`/metrics\` every 50 ms, the statements from ClickHouse's own
   count, past the proxy. _Without breaker_ is a copy of the product in which calls go past it.
2. A process with the module query, whose link to storage.read names three addresses: three such proxies, 5 ms each, before one
   process that answers. Then one of them gives ${percent(figures.share)} of its answers 300 ms later. ${figures.rate} requests a second; the states are those
   of \`GET /v1/topology\`, the checks \`GET /health/ready\`, every 100 ms. _Without ejection_ is a copy of the product that leaves
   nobody out.
3. Three query processes, each behind such a proxy, 5 ms, and before them HAProxy with the configuration that is deployed
   ([degradation](degradation.md#a-slow-process-behind-the-gateway)). Then one of them gives ${percent(figures.share)} of its answers 300 ms later. ${figures.rate} requests
   a second to the gateway; the states are those of its metrics, every 200 ms. It uses the slow one again after 30 s, sees that it is still slow, and
   leaves it out again: the answers meanwhile count. _Without the watch_ is a configuration in which no answer is timed.

A run counts (exit code 0 with \`--assert\`) when the product meets all targets, and each copy misses one.
`
}
