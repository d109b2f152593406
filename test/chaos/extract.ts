import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ModuleName } from '../../src/registry.ts'
import { type SharedEngines, startEngines } from '../support/fleet/engines.ts'
import { FleetProcess } from '../support/fleet/process.ts'
import { type Guardian, guardFolder } from '../support/kafka/guardian.ts'
import { freePorts } from '../support/kafka/ports.ts'
import { type KafkaCluster, startKafka } from '../support/kafka/start.ts'
import { FaultlessClients } from './faultless.ts'
import type { Findings } from './findings.ts'
import { connectionsHandedOver } from './handed-over.ts'
import type { Latencies, PhaseFigures } from './latencies.ts'
import { listening, until } from './listening.ts'
import { inFolder, judge } from './trial.ts'

export interface ExtractOptions {
  readonly from: number
  readonly eventsPerSecond: number
  readonly keep: boolean
  /** Judges what is slow by the p99 before the move alone, however short that was, and a second move when brokers are warm. */
  readonly exact: boolean
}

/** For so many seconds in a row answers may be slow because something moves. */
const slowSeconds = 5
/** Below that nothing is called slow, ms, unless it is asked for: clients, brokers and engines may share two cores here. */
const unnoticedMs = 1_000

/**
 * Before a move that is not judged. The brokers began with this run: at first they compile their own code, which takes a core of two while
 * storage moves. Those of an installation have run for longer.
 */
const cold = 'cold brokers, '

/** How long each state of the installation is measured, ms. */
const steadyMs = 12_000

/**
 * Storage moves out of a running process over Kafka, and back, while events come in and are read: nothing is lost or doubled,
 * and no client sees anything but 2xx. All by configuration: docs/extract-a-module.md, step by step.
 */
export async function runExtract(o: ExtractOptions): Promise<number> {
  await using _ = await connectionsHandedOver()
  const cluster = await startKafka()
  try {
    const passed = await inFolder({ name: 'extract', keep: o.keep }, (home) =>
      judge({ extract: 'storage, over Kafka and back', rate: o.eventsPerSecond }, (findings) =>
        runOnce(home, cluster, o, findings),
      ),
    )
    return passed ? 0 : 1
  } finally {
    await cluster.stop()
  }
}

/** The processes of the move. `one` and `front` share a port, which is all that clients know. */
interface Place {
  readonly url: string
  readonly one: FleetProcess
  readonly front: FleetProcess
  readonly storage: FleetProcess
}

async function runOnce(home: string, cluster: KafkaCluster, o: ExtractOptions, findings: Findings): Promise<object> {
  const guardian = guardFolder(join(home, 'data'))
  const engines = await startEngines(join(home, 'data'), { clickhouse: true })
  const adminKey = randomBytes(24).toString('hex')
  const place = await placeOf(join(home, 'data'), cluster, engines, adminKey, guardian)
  const all = [place.one, place.front, place.storage]
  try {
    await place.one.start()
    const options = { ...o, adminKey, seed: o.from, batchEvents: 200, ledgerFile: join(home, 'ledger.ndjson') }
    const urls = { ingest: place.url, query: place.url }
    await using clients = await FaultlessClients.begin({ ...options, urls, source: '/chaos/extract' }, findings)
    await delay(3_000) // warm
    if (o.exact) await move(place, clients.latencies, cold)
    const moves = await move(place, clients.latencies)
    const latencies = clients.latencies.summary(o.exact ? 0 : unnoticedMs)
    judgeSlowness(latencies, findings)
    return { ...(await clients.verify(engines.clickhouseUrl!)), moves, latencies }
  } catch (error) {
    console.log(all.map((process) => process.output().slice(-8_000)).join('\n'))
    throw error
  } finally {
    await Promise.all(all.map((process) => process.end()))
    await engines.stop()
    guardian.dismiss()
  }
}

/** A second is slow whose p99 is twice that of before the move. */
export function judgeSlowness(phases: Readonly<Record<string, PhaseFigures>>, findings: Findings): void {
  for (const [name, { inARow, p99, worst }] of Object.entries(phases)) {
    if (!name.startsWith(cold) && inARow >= slowSeconds)
      findings.add('answers were slow for too long', `${name}: ${inARow} s in a row; p99 ${p99} ms, worst ${worst} ms`)
  }
}

/** There and back. @returns how long each step took, ms */
async function move({ one, front, storage }: Place, latencies: Latencies, prefix = '') {
  const took: Record<string, number> = {}
  const step = async (name: string, work: Promise<unknown>): Promise<void> => {
    const from = performance.now()
    await work
    took[name] = Math.round(performance.now() - from)
  }
  latencies.begin(`${prefix}one process`)
  await delay(steadyMs)

  latencies.begin(`${prefix}moving out`)
  await step('start the new ones', Promise.all([storage.start(), listening(front)]))
  await step('stop the old one', one.stop())
  await step('storage and sagas begin', Promise.all([begun(storage), begun(front)]))
  latencies.begin(`${prefix}over Kafka`)
  await delay(steadyMs)

  latencies.begin(`${prefix}moving back`)
  await step('start the one', listening(one))
  await step('stop ingest', front.stop())
  await step('stop storage', storage.stop())
  await step('the one begins', begun(one))
  latencies.begin(`${prefix}one process again`)
  await delay(steadyMs)
  return took
}

/** Until the log of the process is the one whose turn it is. */
async function begun({ url, name }: FleetProcess): Promise<void> {
  await until(async () => {
    const { parts } = (await (await fetch(`${url}/health`)).json()) as { parts: { log?: { state: string } } }
    return parts.log?.state === 'ok'
  }, `${name} takes from its log`)
}

async function placeOf(
  dir: string,
  cluster: KafkaCluster,
  engines: SharedEngines,
  adminKey: string,
  guardian: Guardian,
): Promise<Place> {
  const [shared, own] = await freePorts(2)
  const [url, storageUrl] = [`http://127.0.0.1:${shared}`, `http://127.0.0.1:${own}`]
  const common = {
    LOG_LEVEL: 'info',
    ADMIN_KEY: adminKey,
    INTERNAL_SECRET: randomBytes(24).toString('hex'),
    POSTGRES_URL: engines.postgresUrl,
    CLICKHOUSE_URL: engines.clickhouseUrl!,
    KAFKA_TOPIC: `extract-${randomUUID()}`,
    MIN_FREE_BYTES: '0',
  }
  const handingOver = { SHARE_PORT: 'true', DRAIN_SECONDS: '5' }
  const kafka = { LINK_EVENTS: `kafka://${cluster.brokers.join(',')}` }
  const process = (name: string, at: string, modules: readonly ModuleName[], settings: Record<string, string>) => {
    const env = { ...common, ...settings, MODULES: modules.join(',') }
    const options = { dataDir: join(dir, name), env, readyTimeoutMs: 60_000, guardian }
    return new FleetProcess({ name, modules, url: at }, options)
  }
  return {
    url,
    one: process('one', url, ['ingest', 'storage', 'query', 'sagas'], handingOver),
    front: process('front', url, ['ingest', 'query', 'sagas'], {
      ...handingOver,
      ...kafka,
      LINK_STORAGE_READ: storageUrl,
    }),
    storage: process('storage', storageUrl, ['storage'], { ...kafka, LINK_INGEST_APPEND: url }),
  }
}
