import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startFleet } from '../../support/fleet.ts'
import { perfTest } from '../../support/kafka/perf.ts'
import { startKafka } from '../../support/kafka/start.ts'
import { createTopic } from '../../support/kafka/topic.ts'
import { cleanUp, onEnd } from '../cleanup.ts'
import { progress } from '../progress.ts'
import { measureAbort } from './abort.ts'
import { measureLog } from './log.ts'
import { type KafkaRates, measureRates, type SplitPlan } from './rates.ts'
import { splitDocument, splitTable } from './report.ts'

const help = `npm run bench:split -- [--quick] [--aborts N] [--log] [--help]

Measures one installation as one process, split over HTTP, and split over three Kafka brokers on this machine, one after
the other, and the log on Kafka beside Kafka's own producer benchmark. Prints a table and writes docs/bench-split.md. Takes about
seven minutes; Linux only. Leave the machine alone meanwhile. With --aborts it measures only how long N aborted queries go on,
with --log only the log on Kafka by itself; it prints that and writes nothing.`

const target = fileURLToPath(new URL('../../../docs/bench-split.md', import.meta.url))
const partitions = 6
/** Requests at once over Kafka, where each waits for three copies: as many as keep the cores busy on warm brokers. */
const manyInFlight = 48
/** What is written to Kafka, and how. */
const onKafka = [
  { name: 'batches, none', tag: 'n', env: { KAFKA_COMPRESSION: 'none' } },
  { name: 'batches, zstd', tag: 'z', env: { KAFKA_COMPRESSION: 'zstd' } },
  { name: 'CloudEvents, zstd', tag: 'c', env: { KAFKA_COMPRESSION: 'zstd', KAFKA_RECORDS: 'cloudevents' } },
] as const

async function measure(quick: boolean) {
  const plan: SplitPlan = { events: quick ? 200_000 : 1_000_000, warmUpEvents: quick ? 50_000 : 100_000, inFlight: 12 }
  const aborts = quick ? 10 : 30
  const fromMs = Date.now() - 3_600_000

  progress('one process')
  const one = await withFleet({ processes: [all], events: 'local', sharedClickHouse: true }, async (fleet) => ({
    rates: await measureRates(fleet, plan, { tag: 'o', fromMs }),
    abort: await measureAbort(fleet, aborts),
  }))
  progress('split over HTTP')
  const http = await withFleet(
    { processes: [front, query], events: 'local', sharedClickHouse: true },
    async (fleet) => ({
      rates: await measureRates(fleet, plan, { tag: 'h', fromMs }),
      abort: await measureAbort(fleet, aborts),
    }),
  )
  progress('three Kafka brokers')
  const cluster = await startKafka()
  const stopped = onEnd(() => cluster.stop())
  // First, so that all that is compared with Kafka's producer meets warm brokers as that does.
  progress("the log alone beside Kafka's own producer benchmark")
  const log = await measureLog(cluster, { events: plan.events, partitions, few: plan.inFlight })
  const kafka: Record<string, KafkaRates> = {}
  for (const { name, tag, env } of onKafka) {
    progress(`split over Kafka, ${name}`)
    kafka[name] = await withFleet(
      {
        processes: [{ ...ingest, env }, storage, query],
        events: { brokers: cluster.brokers },
        env: { LOG_PARTITIONS: String(partitions) },
      },
      async (fleet) => ({
        few: await measureRates(fleet, plan, { tag, fromMs }),
        many: await measureRates(fleet, { ...plan, inFlight: manyInFlight }, { tag: `${tag}m`, fromMs }),
      }),
    )
  }
  progress("Kafka's own producer benchmark, a record for each event")
  await createTopic(cluster.brokers, { topic: 'perf', partitions })
  const events = await perfTest(cluster, { topic: 'perf', records: plan.events, payload: { bytes: 200 } })
  await stopped()
  return { plan: { ...plan, manyInFlight }, one, http, kafka, log, perf: events }
}

async function measureAborts(times: number): Promise<object> {
  const plan: SplitPlan = { events: 1_000_000, warmUpEvents: 100_000, inFlight: 12 }
  const figures: Record<string, object> = {}
  for (const [name, processes] of Object.entries({ 'one process': [all], split: [front, query] })) {
    progress(name)
    figures[name] = await withFleet({ processes, events: 'local', sharedClickHouse: true }, async (fleet) => {
      await measureRates(fleet, plan, { tag: 'a', fromMs: Date.now() - 3_600_000 })
      return await measureAbort(fleet, times)
    })
  }
  return figures
}

async function measureLogAlone(): Promise<object> {
  const cluster = await startKafka()
  const stopped = onEnd(() => cluster.stop())
  const figures = await measureLog(cluster, { events: 1_000_000, partitions, few: 12 })
  await stopped()
  return figures
}

export type SplitFigures = Awaited<ReturnType<typeof measure>>

const all = { name: 'all', modules: ['ingest', 'storage', 'query'] } as const
const front = { name: 'front', modules: ['ingest', 'storage'] } as const
const ingest = { name: 'ingest', modules: ['ingest'] } as const
const storage = { name: 'storage', modules: ['storage'] } as const
const query = { name: 'query', modules: ['query'] } as const

async function withFleet<T>(
  options: Parameters<typeof startFleet>[0],
  work: (fleet: Awaited<ReturnType<typeof startFleet>>) => Promise<T>,
): Promise<T> {
  const fleet = await startFleet({ ...options, env: { LOG_LEVEL: 'warn', ...options.env } })
  const stopped = onEnd(() => fleet.stop())
  const result = await work(fleet)
  await stopped()
  return result
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(2)))
}
try {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      aborts: { type: 'string' },
      log: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) console.log(help)
  else if (values.aborts) console.table(await measureAborts(Number(values.aborts)))
  else if (values.log) console.table(await measureLogAlone())
  else {
    const figures = await measure(values.quick)
    await writeFile(target, splitDocument(figures))
    console.log(splitTable(figures))
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 2
} finally {
  await cleanUp()
}
