import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KafkaCluster } from '../../support/kafka/cluster.ts'
import { payloadSeparator, perfTest } from '../../support/kafka/perf.ts'
import { temporaryFolder } from '../cleanup.ts'
import { prepareLoad } from '../fork.ts'
import { batchBody } from '../payload.ts'
import { eventsPerBatch } from '../plan.ts'
import { median } from '../stats.ts'

/** Events per second until all are acknowledged, medians. */
export interface LogFigures {
  /** Kafka's own producer, the same batches. */
  readonly perfTest: number
  /** The product's log, a batch whole into one partition, as Kafka's producer writes it, and as much of it at once. */
  readonly whole: number
  /** The same with each batch over all partitions, as ingest appends it. */
  readonly spread: number
  /** Whole batches, few at once. */
  readonly few: number
}

export interface LogPlan {
  readonly events: number
  readonly partitions: number
  /** Batches at once in the rows of few. */
  readonly few: number
}

const compressions = ['none', 'zstd'] as const
/** Batches that differ, of which Kafka's producer takes one at random each time. */
const differing = 50
/** The first warms the brokers, and does not count. */
const rounds = 4
/** Room for a batch, and the level of zstd that the product uses. */
const producer = { 'max.request.size': String(8 << 20), 'batch.size': '400000', 'compression.zstd.level': '1' }
/** Batches at once: the 32 MB that Kafka's producer lets wait (buffer.memory). */
export const asManyAsKafka = 160
const series = { tag: 'a', fromMs: 1_760_000_000_000 }

/**
 * The log by itself beside Kafka's own producer benchmark: the same batches to the same topic, in turn, each time from a process
 * that has just been started, so that both compile their code within the measured time.
 */
export async function measureLog(cluster: Pick<KafkaCluster, 'brokers'>, plan: LogPlan) {
  const folder = temporaryFolder()
  const file = join(folder.path, 'batches')
  const batches = Array.from({ length: differing }, (_, n) => batchBody(series, n * eventsPerBatch, eventsPerBatch))
  await writeFile(file, batches.join(payloadSeparator))
  const figures = { none: await compare('none'), zstd: await compare('zstd') }
  await folder.remove()
  return figures

  async function compare(compression: (typeof compressions)[number]): Promise<LogFigures> {
    const runs: LogFigures[] = []
    for (let round = 0; round < rounds; round++) {
      const topic = `log-${compression}-${round}`
      const shared = { kind: 'appends', brokers: cluster.brokers, topic, compression, series, ...plan } as const
      const append = async (spread: boolean, inFlight: number): Promise<number> => {
        const { events, durableMs } = await (await prepareLoad({ ...shared, spread, inFlight })).run()
        return (1_000 * events) / durableMs
      }
      const few = await append(false, plan.few) // it makes the topic
      const whole = await append(false, asManyAsKafka)
      const perBatch = await perfTest(cluster, {
        topic,
        records: plan.events / eventsPerBatch,
        payload: { file },
        producer: { ...producer, 'compression.type': compression },
      })
      runs.push({ few, whole, spread: await append(true, asManyAsKafka), perfTest: perBatch * eventsPerBatch })
    }
    const counted = runs.slice(1)
    return {
      few: median(counted.map((run) => run.few)),
      whole: median(counted.map((run) => run.whole)),
      spread: median(counted.map((run) => run.spread)),
      perfTest: median(counted.map((run) => run.perfTest)),
    }
  }
}
