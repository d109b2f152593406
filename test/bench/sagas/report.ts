import { readFileSync } from 'node:fs'
import { describeMachine } from '../machine.ts'
import { median } from '../stats.ts'
import { table } from '../table.ts'
import { type EngineName, engines } from './engines/all.ts'
import type { Pass } from './measure.ts'
import type { Plan } from './plan.ts'
import type { Recovery } from './recovery.ts'

export type Passes = ReadonlyMap<EngineName, readonly Pass[]>

const whole = (value: number): string => Math.round(value).toLocaleString('en-US')
const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`
const seconds = (value: number): string => `${(value / 1_000).toFixed(2)} s`

/** A figure of a pass; undefined where an engine has none. */
interface Figure {
  readonly name: string
  readonly of: (pass: Pass) => number | undefined
  readonly show: (value: number) => string
}

const figures: readonly Figure[] = [
  { name: 'one after another, p50', of: (pass) => pass.sequential.p50Ms, show: ms },
  { name: 'one after another, p99', of: (pass) => pass.sequential.p99Ms, show: ms },
  { name: '16 at once, sagas/s', of: (pass) => pass.sixteen.rate, show: whole },
  { name: '16 at once, p50', of: (pass) => pass.sixteen.p50Ms, show: ms },
  { name: '64 at once, sagas/s', of: (pass) => pass.sixtyFour.rate, show: whole },
  { name: '64 at once, p50', of: (pass) => pass.sixtyFour.p50Ms, show: ms },
  { name: '64 at once, p99', of: (pass) => pass.sixtyFour.p99Ms, show: ms },
  { name: 'statements for a saga', of: (pass) => pass.postgres?.statements, show: (value) => value.toFixed(1) },
  { name: 'WAL for a saga, bytes', of: (pass) => pass.postgres?.walBytes, show: whole },
  { name: 'CPU for a saga, µs: engine', of: (pass) => pass.cpu.engine, show: whole },
  { name: 'CPU for a saga, µs: Postgres', of: (pass) => pass.cpu.postgres || undefined, show: whole },
  { name: 'CPU for a saga, µs: participant', of: (pass) => pass.cpu.participant, show: whole },
  { name: 'CPU for a saga, µs: load', of: (pass) => pass.cpu.load, show: whole },
  { name: 'memory, MiB', of: (pass) => pass.memoryMib, show: whole },
]

function figureOf(passes: readonly Pass[] | undefined, of: Figure['of']): number | undefined {
  const values = (passes ?? []).flatMap((pass) => of(pass) ?? [])
  return values.length > 0 ? median(values) : undefined
}

const comparison = (passes: Passes): string =>
  table([
    ['figure', ...[...passes.keys()].map((name) => engines[name].label)],
    ...figures.map(({ name, of, show }) => [
      name,
      ...[...passes.values()].map((measured) => {
        const value = figureOf(measured, of)
        return value === undefined ? '' : show(value)
      }),
    ]),
  ])

/** How soon sagas go on when something fails, and what is to be reached. */
function recoveryRows({ inFlight, resumedMs, visibleMs, independentUndosMs }: Recovery): string[][] {
  const row = (name: string, value: number, mostMs: number): string[] => {
    const met = value <= mostMs ? 'yes' : 'no'
    return [name, seconds(value), `≤ ${mostMs / 1_000} s`, met]
  }
  return [
    row(`kill -9 of one of three workers, ${whole(inFlight)} sagas in flight: all resumed`, resumedMs, 5_000),
    row('a stuck undo: listed', visibleMs, 5_000),
    row('a stuck undo: the independent undos are done', independentUndosMs, 1_000),
  ]
}

/** What is to be reached. */
function targets(passes: Passes): string[][] {
  const own = (of: Figure['of']): number => figureOf(passes.get('splitstream'), of) ?? Number.NaN
  const rate = (pass: Pass): number => pass.sixtyFour.rate
  const over = (name: EngineName): number => own(rate) / (figureOf(passes.get(name), rate) ?? Number.NaN)
  const row = (name: string, value: number, show: Figure['show'], target: string, met: boolean): string[] => [
    name,
    show(value),
    target,
    met ? 'yes' : 'no',
  ]
  const atLeast = (name: string, value: number, least: number, show: Figure['show'], unit = ''): string[] =>
    row(name, value, show, `≥ ${least.toLocaleString('en-US')}${unit}`, value >= least)
  const atMost = (name: string, value: number, most: number, show: Figure['show'], unit = ''): string[] =>
    row(name, value, show, `≤ ${most.toLocaleString('en-US')}${unit}`, value <= most)
  const ratio = (value: number): string => value.toFixed(1)
  return [
    atLeast('64 at once, sagas/s', own(rate), 2_500, whole),
    atLeast('64 at once, Splitstream / DBOS', over('dbos'), 10, ratio),
    atLeast('64 at once, Splitstream / Restate', over('restate'), 5, ratio),
    atMost(
      'one after another, p50',
      own((pass) => pass.sequential.p50Ms),
      2.5,
      ms,
      ' ms',
    ),
    atMost(
      'one after another, p99',
      own((pass) => pass.sequential.p99Ms),
      8,
      ms,
      ' ms',
    ),
    atMost(
      'statements for a saga',
      own((pass) => pass.postgres?.statements),
      6,
      ratio,
    ),
    atMost(
      'WAL for a saga, bytes',
      own((pass) => pass.postgres?.walBytes),
      1_500,
      whole,
    ),
  ]
}

const peers = JSON.parse(readFileSync(new URL('./peers/package.json', import.meta.url), 'utf8')) as {
  dependencies: Record<string, string>
}
const version = (name: string): string => peers.dependencies[name] ?? ''

const asItRan: string[][] = [
  ['no engine', 'the calls one after the other in a process with an HTTP front; nothing is kept'],
  [
    `DBOS ${version('@dbos-inc/dbos-sdk')}`,
    "default settings, in a process with an HTTP front, on the embedded Postgres with Splitstream's settings",
  ],
  [
    `Restate ${version('@restatedev/restate-server')}`,
    `one node, default settings but 512 MiB for RocksDB and no telemetry; SDK ${version('@restatedev/restate-sdk')}, its log off`,
  ],
  ['Splitstream', 'one process with all modules, on a Postgres of its own as DBOS has it'],
]

/** For the terminal. @param recovery undefined when it was not measured */
export function sagaTables(passes: Passes, recovery: Recovery | undefined): string {
  const rows = [...(passes.has('splitstream') ? targets(passes) : []), ...(recovery ? recoveryRows(recovery) : [])]
  const parts = [
    ...(passes.size > 0 ? [comparison(passes)] : []),
    ...(rows.length > 0 ? [table([['figure', 'measured', 'target', 'met'], ...rows])] : []),
  ]
  return parts.join('\n\n')
}

/** docs/bench-sagas.md. */
export function sagaDocument(passes: Passes, recovery: Recovery, plan: Plan): string {
  return `# Bench of sagas

Written by \`npm run bench:sagas${plan.quick ? ' -- --quick' : ''}\` (test/bench/sagas); do not edit. All figures are of one run on one machine:
load generator, participant, engine and database share its cores. Rates depend on the machine; ratios do so much less.
${plan.quick ? '\n**A quick run**: one short pass, so rates include more of the start and the end, and a p99 rests on few samples.\n' : ''}
${table([['machine', ''], ...describeMachine()])}

${sagaTables(passes, recovery)}

## How

The saga: charge, reserve, ship, each one HTTP call with an Idempotency-Key; for one order in ten the participant refuses to
ship, and the engine releases and refunds. One participant program (test/bench/sagas/participant) serves every engine, in a
fresh process for each of them and each pass: it remembers keys and counts effects. One load process starts sagas over keep-alive connections, and each lane its next when
the answer says how the last one ended: a latency is from the request to the end of the saga.

Each engine is measured ${plan.passes === 1 ? 'once' : `${plan.passes} times`}, fresh, in turn with the others; a figure is the median. A pass: ${plan.warmUpSeconds} s of warm-up, ${plan.sequentialSeconds} s one after
another, ${plan.sixteenSeconds} s with 16 at once, ${plan.sixtyFourSeconds} s with 64. After each pass the participant's ledger is read: every order has each effect
once or is undone as a whole, the money adds up, and the counts are those that the engine answered; otherwise the run
fails. Before the first one the same check has to find two planted bugs (a double charge, a forgotten refund).

Statements are those that clients sent, transaction control among them (pg_stat_statements, on for a separate ${plan.countSeconds} s in the first
pass); WAL is the distance that the log moved meanwhile, full page images among it. CPU is that of the processes over the
round of 64, and memory their proportional set size after it, Postgres among it.

The last three figures are those of \`npm run chaos -- sagas recovery\`, ${plan.passes === 1 ? 'once' : `the worst of ${plan.passes} times`}, on another installation: three processes that run
sagas, one for events, Kafka between them, and the external ledger of the chaos runs, which judges every saga. kill -9: until
Postgres has another owner for each saga of the dead worker. A stuck undo: 20 sagas whose second undo of three fails for 8 s, and
20 in which it hangs; from its first call until \`GET /v1/sagas?problem=true\` has the saga, and from the first undo of a saga
until its other two are done, each in the slowest saga.

${table([['engine', 'as it ran'], ...asItRan])}

The peers' steps call the participant with undici, as Splitstream does. Everything syncs to disk before it goes on, by each
engine's default.
`
}
