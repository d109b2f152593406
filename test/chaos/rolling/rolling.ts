import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { checkLedger } from '../../bench/sagas/measure.ts'
import { startParticipant } from '../../bench/sagas/participant/start.ts'
import { median } from '../../bench/stats.ts'
import { startEngines } from '../../support/fleet/engines.ts'
import { guardFolder } from '../../support/kafka/guardian.ts'
import { type KafkaCluster, startKafka } from '../../support/kafka/start.ts'
import { expectFaultless, findUnanswered } from '../faultless.ts'
import type { Findings } from '../findings.ts'
import { Latencies } from '../latencies.ts'
import { Ledger } from '../ledger.ts'
import { Load } from '../load.ts'
import { Random } from '../random.ts'
import { connectRaw } from '../raw-rows.ts'
import { Reader } from '../reader.ts'
import { twoTenants } from '../tenants.ts'
import { inFolder, judge } from '../trial.ts'
import { awaitStored, verifyRawRows, verifyThroughApi } from '../verify.ts'
import { Orders } from './orders.ts'
import { makeSlots } from './slots.ts'

export interface RollingOptions {
  readonly from: number
  readonly restarts: number
  readonly eventsPerSecond: number
  readonly keep: boolean
}

/**
 * Every module in a process of its own, over Kafka and HTTP; one process after another is replaced by a fresh one, while events
 * come in, are read, and sagas are started. No request fails, nothing is lost or doubled, each saga ends as it must.
 */
export async function runRolling(o: RollingOptions): Promise<number> {
  const cluster = await startKafka()
  try {
    const passed = await inFolder({ name: 'rolling', keep: o.keep }, (home) =>
      judge({ rolling: 'restarts', restarts: o.restarts, rate: o.eventsPerSecond }, (findings) =>
        runOnce(home, cluster, o, findings),
      ),
    )
    return passed ? 0 : 1
  } finally {
    await cluster.stop()
  }
}

async function runOnce(home: string, cluster: KafkaCluster, o: RollingOptions, findings: Findings): Promise<object> {
  const dir = join(home, 'data')
  const guardian = guardFolder(dir)
  const engines = await startEngines(dir, { clickhouse: true })
  const adminKey = randomBytes(24).toString('hex')
  const participant = await startParticipant()
  const slots = await makeSlots({ dir, brokers: cluster.brokers, engines, adminKey, guardian })
  const all = Object.values(slots)
  try {
    await Promise.all(all.map((slot) => slot.start()))
    const tenants = await twoTenants(slots.ingest.url, adminKey)
    const source = '/chaos/rolling'
    const ledger = await Ledger.open(join(home, 'ledger.ndjson'))
    const latencies = new Latencies()
    const load = new Load({
      url: slots.ingest.url,
      tenants,
      source,
      ledger,
      random: new Random(o.from),
      eventsPerSecond: o.eventsPerSecond,
      senders: 8,
      batchSize: (random) => random.int(1, 20),
    })
    expectFaultless(load, latencies, findings)
    const reader = new Reader(slots.query.url, adminKey, findings)
    const orders = new Orders({ url: slots.sagas.url, key: adminKey, findings })
    await orders.begin(participant.url)
    try {
      await delay(3_000) // warm
      latencies.begin('no restarts')
      await delay(10_000)
      latencies.begin('restarts')
      const took: number[] = []
      for (let n = 0; n < o.restarts; n++) {
        took.push(await all[n % all.length]!.replace())
        if (n % 10 === 9) console.log(`  ${n + 1} of ${o.restarts} restarts`)
      }
      const figures = latencies.summary()
      await load.stop()
      findUnanswered(load, findings)
      await reader.stop()
      await orders.stop()
      await checkLedger(participant, orders.ended)
      await awaitStored(slots.query.url, await load.mark(), 60_000)
      const expectation = { ledger, source, tenants }
      const stored = await verifyThroughApi(slots.query.url, expectation, findings)
      await verifyRawRows(connectRaw(engines.clickhouseUrl!), [expectation], findings)
      return {
        ...ledger.counts(),
        stored: [...stored.values()].reduce((a, b) => a + b, 0),
        answers: Object.fromEntries(load.statuses),
        reads: reader.reads,
        sagas: orders.ended,
        restartMs: { median: Math.round(median(took)), worst: Math.round(Math.max(...took)) },
        latencies: figures,
      }
    } finally {
      await load.stop(0)
      await reader.stop()
      await orders.stop()
      await ledger.close()
    }
  } catch (error) {
    console.log(all.map((slot) => slot.output().slice(-8_000)).join('\n'))
    throw error
  } finally {
    await Promise.all(all.map((slot) => slot.end()))
    await participant.stop()
    await engines.stop()
    guardian.dismiss()
  }
}
