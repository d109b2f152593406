import { describeMachine } from '../machine.ts'
import { table } from '../table.ts'
import { asManyAsKafka } from './log.ts'
import type { SplitFigures } from './main.ts'
import type { Rates } from './rates.ts'

const whole = (value: number): string => Math.round(value).toLocaleString('en-US')
const rate = (value: number): string => `${whole(value)} events/s`

function rowsOf({ plan, one, http, kafka, log, perf }: SplitFigures): string[][] {
  const met = (ok: boolean): string => (ok ? 'yes' : 'no')
  const ratio = http.rates.stored / one.rates.stored
  const [plain, batches, events] = [kafka['batches, none']!, kafka['batches, zstd']!, kafka['CloudEvents, zstd']!]
  const ratios: [string, number, string][] = [
    ['Kafka log / perf test, the same batches, none', log.none.whole / log.none.perfTest, '≥ 0.7'],
    ['Kafka log / perf test, the same batches, zstd', log.zstd.whole / log.zstd.perfTest, '≥ 0.7'],
    [`Kafka log, ${plan.inFlight} batches at once / perf test, none`, log.none.few / log.none.perfTest, ''],
    [`Kafka log, ${plan.inFlight} batches at once / perf test, zstd`, log.zstd.few / log.zstd.perfTest, ''],
    // The target is about the same batches: records of one size, neither compressed.
    ['Kafka split, none / perf test, the same batches', plain.many.acknowledged / log.none.perfTest, '≥ 0.7'],
    ['Kafka split, none / perf test, a record for each event', plain.many.acknowledged / perf, ''],
    ['Kafka split, zstd / perf test, uncompressed batches', batches.many.acknowledged / log.none.perfTest, ''],
    ['Kafka split, zstd / perf test, a record for each event', batches.many.acknowledged / perf, ''],
    ['Kafka split / one process, stored', batches.many.stored / one.rates.stored, ''],
    ['Kafka split, CloudEvents / batches, acknowledged', events.many.acknowledged / batches.many.acknowledged, ''],
    ['Kafka split, CloudEvents / batches, stored', events.many.stored / batches.many.stored, ''],
  ]
  const kafkaRows = (name: string, inFlight: number, rates: Rates): string[][] => [
    [`Kafka split (three processes), ${name}, ${inFlight} at once, acknowledged`, rate(rates.acknowledged), '', ''],
    [`Kafka split (three processes), ${name}, ${inFlight} at once, stored`, rate(rates.stored), '', ''],
    [`Kafka split (three processes), ${name}, ${inFlight} at once, idle cores`, rates.idleCores.toFixed(2), '', ''],
  ]
  return [
    ['one process, acknowledged', rate(one.rates.acknowledged), '', ''],
    ['one process, stored', rate(one.rates.stored), '', ''],
    ['HTTP split (query apart), acknowledged', rate(http.rates.acknowledged), '', ''],
    ['HTTP split (query apart), stored', rate(http.rates.stored), '', ''],
    ['HTTP split / one process, stored', ratio.toFixed(2), '≥ 0.75', met(ratio >= 0.75)],
    ...Object.entries(kafka).flatMap(([name, { few, many }]) => [
      ...kafkaRows(name, plan.inFlight, few),
      ...kafkaRows(name, plan.manyInFlight, many),
    ]),
    ["Kafka's producer perf test, a record for each event (200 B)", rate(perf), '', ''],
    ...Object.entries(log).flatMap(([compression, rates]) => [
      [`Kafka's producer perf test, the same batches (200 KB), ${compression}`, rate(rates.perfTest), '', ''],
      [`Kafka log, ${asManyAsKafka} batches at once, ${compression}`, rate(rates.whole), '', ''],
      [
        `Kafka log, ${asManyAsKafka} batches at once, each over all partitions, ${compression}`,
        rate(rates.spread),
        '',
        '',
      ],
      [`Kafka log, ${plan.inFlight} batches at once, ${compression}`, rate(rates.few), '', ''],
    ]),
    ...ratios.map(([name, value, target]) => [name, value.toFixed(2), target, target === '' ? '' : met(value >= 0.7)]),
    ['client abort → query gone, one process, p50', `${one.abort.p50Ms.toFixed(0)} ms`, '', ''],
    ['client abort → query gone, one process, p95', `${one.abort.p95Ms.toFixed(0)} ms`, '', ''],
    [
      'client abort → query gone, one process, worst',
      `${one.abort.maxMs.toFixed(0)} ms`,
      '≤ 50 ms',
      met(one.abort.maxMs <= 50),
    ],
    ['client abort → query gone, split, p50', `${http.abort.p50Ms.toFixed(0)} ms`, '', ''],
    ['client abort → query gone, split, p95', `${http.abort.p95Ms.toFixed(0)} ms`, '', ''],
    [
      'client abort → query gone, split, worst',
      `${http.abort.maxMs.toFixed(0)} ms`,
      '≤ 150 ms',
      met(http.abort.maxMs <= 150),
    ],
  ]
}

export const splitTable = (figures: SplitFigures): string =>
  table([['figure', 'measured', 'target', 'met'], ...rowsOf(figures)])

/** docs/bench-split.md. */
export function splitDocument(figures: SplitFigures): string {
  const { plan, one, http } = figures
  return `# Bench of the split

Written by \`npm run bench:split\` (test/bench/split); do not edit. One run on one machine: load generator, all processes, engines and
brokers share its cores, so a split costs here what it would bring elsewhere.

${table([['machine', ''], ...describeMachine()])}

${splitTable(figures)}

${whole(plan.events)} events of about 200 bytes in NDJSON batches of 1,000, ${plan.inFlight} requests in flight where nothing else is said. Acknowledged: until the last \`202\`.
Stored: until a query at the query process saw everything. Kafka: three brokers, replication 3, \`acks=all\`, \`min.insync.replicas=2\`.

What the rows with Kafka compare:

- **Kafka log**: the product's log by itself, like for like. One process appends the same batches without HTTP, parsing and storing; Kafka's own
  producer benchmark sends them to the same topic, with \`acks=all\` and the same compression (zstd at level 1). Both have as much under way:
  32 MB, which Kafka's producer lets wait, are ${asManyAsKafka} batches; with ${plan.inFlight} each send holds few of them, and costs the brokers as much. The two
  take turns on warm brokers, each time as a process that has just been started; the first turn of both does not count, and the figures
  are medians of three. Ingest spreads each batch over all partitions, so that each gets a part of it: that is a row of its own.
- **Kafka split**: all of the product. It takes HTTP requests, parses and checks every event, and stores it on the same cores, beside the load
  generator, while Kafka's benchmark only sends. The ratios are of ${plan.manyInFlight} requests at once. What that costs by part, and what the cores allow at most, is in
  [0020](adr/0020-what-a-split-over-kafka-costs.md).

Aborts: ${one.abort.times} and ${http.abort.times} queries whose client left in their
middle, until an answer of \`system.processes\` no longer listed them. About a third of it is the way to the engine and its \`KILL\`,
a third is to free what the query had gathered (15 ms for 100,000 groups, 150 for a million), and the rest the look itself.
`
}
