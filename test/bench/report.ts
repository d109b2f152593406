import { type Figures, type Row, rowsOf } from './figures.ts'
import { describeMachine } from './machine.ts'
import type { Plan } from './plan.ts'
import { table } from './table.ts'

const header = ['figure', 'measured', 'target', 'met']
const cells = ({ figure, measured, target, met }: Row): string[] => [
  figure,
  measured,
  target,
  met === undefined ? '' : met ? 'yes' : 'no',
]

/** The table of figures, for the terminal. */
export const figureTable = (figures: Figures): string => rowTable(rowsOf(figures))

export const rowTable = (rows: readonly Row[]): string => table([header, ...rows.map(cells)])

/** docs/bench.md. */
export function document(figures: Figures, plan: Plan): string {
  const { engine, ingest, visible, telemetry } = figures
  const cpu = Object.entries(ingest.cpuMicros).map(([part, micros]) => `${part} ${micros.toFixed(2)}`)
  const seconds = plan.singleSeconds
  return `# Bench

Written by \`npm run bench${plan.quick ? ' -- --quick' : ''}\` (test/bench); do not edit. All figures are of one run on one machine,
with the load generator on the same cores as the server. Rates depend on the machine; the ratio of figure 2 does so much
less.
${plan.quick ? '\n**A quick run**: a fifth of the work, so rates include more of the start and the end, and a p99 rests on few samples.\n' : ''}
${table([['machine', ''], ...describeMachine()])}

${figureTable(figures)}

CPU time for an event in figure 1, µs: ${cpu.join(', ')}; idle meanwhile: ${ingest.idleCores.toFixed(2)} cores.
In figure 2, µs: ${engine.one.cpuMicros.toFixed(2)} with one insert at a time, ${engine.two.cpuMicros.toFixed(2)} with two. Requests of figure 1 refused for now (503) and sent again:
${ingest.refused}.

## How

1. ${plan.sustainedEvents.toLocaleString('en-US')} events of ${Math.round(ingest.eventBytes)} bytes, distinct ids and times, in NDJSON batches of 1,000, built ahead; ${plan.inFlight} requests in
   flight from a process of its own, after a warm-up. Acknowledged: until the last \`202\`. Stored: until
   \`GET /v1/events?after=<last position>\` was answered. Measured at the beginning and, with a fresh server, after figure 2's second time: the faster
   one is shown, and of memory the greater.
2. The same events, encoded ahead by the ingest module into RowBinary blocks of up to 65,536 rows, inserted with the same
   client, settings and tokens into an embedded ClickHouse with the same migration, with nothing else running, before
   figure 1 and again after figure 7: the faster time of each way is shown, as of figure 1. The ratio takes the better of one and two inserts at a time.
   So many events, because parts are merged later: after two million the engine alone owes a seventh of its work, and the server less.
3. After ClickHouse has merged what figure 1 left, as before figure 4. One event a request, 64 connections, ${seconds} s after a warm-up. The CPU time is that of the server's main process with all
   its threads. Then open loops at half of what is asked of one core and at half of what was reached, the medians of ${plan.singleWindows} windows. Requests are due at whole
   milliseconds, as timers step; latency counts from then on, also while a timer is late.
4. Batches at half of the stored rate of figure 1; beside it, every 200 ms, one event as any client sends it (${visible.probes} probes), and
   every 20 ms a look at the newest of them, \`GET /v1/events\` from their time on, without \`after\`: from its \`202\` until it is there. Neither
   \`?wait=stored\` nor \`after\` is used: both end the wait for company (\`STORAGE_LINGER_MS\`).
5. Set sizes 5 s after the first start; in the proportional ones (PSS) shared pages count once. \`VmHWM\` of the main process over
   figure 1, both times.
6. Awaited calls through \`src/transports/inproc/bind.ts\` and direct ones, ${plan.portRounds} pairs of rounds in turn; the median
   difference. A look at the clock costs 30 ns, and a duration is two of them ([0023](adr/0023-to-time-a-call-costs-more-than-the-call.md)).
7. Stopped after all of the above and started again on the same data, until \`GET /health/ready\` says 200 (asked every 50 ms).
8. Three servers in turn, ${telemetry.rounds} rounds. On: metrics and traces of 1 % of the requests go to a collector, which forgets them
   (${telemetry.sentMb.toFixed(1)} MB in all), and logs are at \`info\`. Counting alone: nothing is sent, and logs are at \`warn\`; the product cannot do with less. Off: the
   same in a copy of the product whose counters, histograms and gauges do nothing. Nobody reads \`/metrics\`. Each has its turn when
   ClickHouse of the one before is quiet. Medians of the rounds; a ratio is taken in each round. p99: at half of what is asked of one core, windows of ${seconds} s.
`
}
