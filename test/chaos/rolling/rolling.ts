import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { checkLedger } from '../../bench/sagas/measure.ts'
import { startParticipant } from '../../bench/sagas/participant/start.ts'
import { median } from '../../bench/stats.ts'
import { startEngines } from '../../support/fleet/engines.ts'
import { guardFolder } from '../../support/kafka/guardian.ts'
import { type KafkaCluster, startKafka } from '../../support/kafka/start.ts'
import { FaultlessClients } from '../faultless.ts'
import type { Findings } from '../findings.ts'
import { inFolder, judge } from '../trial.ts'
import { Orders } from './orders.ts'
import { StaysReady } from './readiness.ts'
import { makeReplicas } from './replicas.ts'
import { makeSlots } from './slots.ts'

export interface RollingOptions {
  readonly from: number
  readonly restarts: number
  readonly eventsPerSecond: number
  readonly keep: boolean
  /** Two processes of each module behind the gateway, stopped before the next one starts, as Compose and Kubernetes do it. */
  readonly gateway: boolean
}

/**
 * Every module in a process of its own, or two, over Kafka and HTTP; one process after another is replaced by a fresh one, while
 * events come in, are read, and sagas are started. No request fails, nothing is lost or doubled, each saga ends as it must.
 */
export async function runRolling(o: RollingOptions): Promise<number> {
  const cluster = await startKafka()
  try {
    const passed = await inFolder({ name: 'rolling', keep: o.keep }, (home) =>
      judge(
        { rolling: o.gateway ? 'behind the gateway' : 'restarts', restarts: o.restarts, rate: o.eventsPerSecond },
        (findings) => runOnce(home, cluster, o, findings),
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
  const make = o.gateway ? makeReplicas : makeSlots
  const installation = await make({ dir, brokers: cluster.brokers, engines, adminKey, guardian })
  const { slots: all, urls } = installation
  try {
    await Promise.all(all.map((slot) => slot.start()))
    await installation.open()
    const options = { ...o, adminKey, seed: o.from, batchEvents: 20, ledgerFile: join(home, 'ledger.ndjson') }
    await using clients = await FaultlessClients.begin({ ...options, urls, source: '/chaos/rolling' }, findings)
    await using readiness = new StaysReady(all, findings)
    const orders = new Orders({ url: urls.sagas, key: adminKey, findings })
    await orders.begin(participant.url)
    try {
      await delay(3_000) // warm
      clients.latencies.begin('no restarts')
      await delay(10_000)
      clients.latencies.begin('restarts')
      const took: number[] = []
      for (let n = 0; n < o.restarts; n++) {
        took.push(await readiness.replace(all[n % all.length]!))
        if (n % 10 === 9) console.log(`  ${n + 1} of ${o.restarts} restarts`)
      }
      const latencies = clients.latencies.summary()
      await readiness.stop()
      await orders.stop()
      await checkLedger(participant, orders.ended)
      const restartMs = { median: Math.round(median(took)), worst: Math.round(Math.max(...took)) }
      const told = await clients.verify(engines.clickhouseUrl!)
      return { ...told, sagas: orders.ended, restartMs, latencies, looksAtReadiness: readiness.looks }
    } finally {
      await orders.stop()
    }
  } catch (error) {
    console.log(all.map((slot) => slot.output().slice(-8_000)).join('\n'))
    throw error
  } finally {
    await Promise.all(all.map((slot) => slot.end()))
    await installation.close()
    await participant.stop()
    await engines.stop()
    guardian.dismiss()
  }
}
