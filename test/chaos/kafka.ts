import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Fleet, startFleet } from '../support/fleet.ts'
import { soonReplaced } from '../support/kafka/settings.ts'
import { type KafkaCluster, startKafka } from '../support/kafka/start.ts'
import type { Findings } from './findings.ts'
import { Ledger } from './ledger.ts'
import { isRightlyRefused, Load } from './load.ts'
import { Random } from './random.ts'
import { connectRaw } from './raw-rows.ts'
import { Standstill } from './standstill.ts'
import { twoTenants } from './tenants.ts'
import { inFolder, judge } from './trial.ts'
import { judgeUnanswered } from './unanswered.ts'
import { awaitStored, verifyRawRows, verifyThroughApi } from './verify.ts'

interface Fault {
  strike(cluster: KafkaCluster, fleet: Fleet): Promise<void>
  heal(cluster: KafkaCluster, fleet: Fleet): Promise<void>
  /** Longest time that a partition may not be stored, ms; undefined: as long as the fault holds. */
  readonly moveMs?: number
  /** The same when it is asked for: more than holds where brokers, processes, engines and clients share two busy cores. */
  readonly exactMs?: number
}

/** What can happen to an installation whose log is on Kafka, with two storage processes. */
export const kafkaFaults = {
  'broker-killed': {
    strike: (cluster) => cluster.nodes[0]!.kill(),
    heal: (cluster) => cluster.nodes[0]!.start(),
    moveMs: 20_000,
    exactMs: 10_000,
  },
  'broker-paused': {
    strike: (cluster) => cluster.nodes[1]!.pause(),
    heal: (cluster) => cluster.nodes[1]!.resume(),
    exactMs: 10_000,
  },
  'brokers-killed': {
    strike: async (cluster) => {
      await Promise.all(cluster.nodes.map((node) => node.kill()))
    },
    heal: async (cluster) => {
      await Promise.all(cluster.nodes.map((node) => node.start()))
    },
  },
  'storage-killed': {
    strike: (_, fleet) => fleet.process('storage-a').kill(),
    heal: (_, fleet) => fleet.process('storage-a').start(),
    moveMs: 15_000,
    exactMs: 10_000,
  },
  'consumer-paused': {
    strike: async (_, fleet) => fleet.process('storage-b').pause(),
    heal: async (_, fleet) => fleet.process('storage-b').resume(),
    moveMs: 15_000,
    exactMs: 10_000,
  },
} as const satisfies Record<string, Fault>

export interface KafkaOptions {
  readonly from: number
  readonly eventsPerSecond: number
  readonly holdMs: number
  readonly keep: boolean
  /** A partition moves within 10 s, whatever runs beside it. */
  readonly exact: boolean
}

const partitions = 6
/** A fault holds for that much longer than what may stand still because of it, ms. */
const beyondMs = 5_000

/** One fault after another, or all, on one cluster. Returns the number of faults that broke a promise. */
export async function runKafka(names: readonly (keyof typeof kafkaFaults)[], o: KafkaOptions): Promise<number> {
  const cluster = await startKafka({ settings: soonReplaced })
  let failed = 0
  try {
    for (const name of names) {
      const passed = await inFolder({ name, keep: o.keep }, (home) =>
        judge({ kafka: name, holdMs: o.holdMs }, (findings) => runOnce(name, home, cluster, o, findings)),
      )
      if (!passed) failed++
    }
  } finally {
    await cluster.stop()
  }
  return failed
}

async function runOnce(
  name: keyof typeof kafkaFaults,
  home: string,
  cluster: KafkaCluster,
  o: KafkaOptions,
  findings: Findings,
) {
  const fault: Fault = kafkaFaults[name]
  const limitMs = o.exact ? (fault.exactMs ?? fault.moveMs) : fault.moveMs
  await using fleet = await startFleet({
    events: { brokers: cluster.brokers },
    env: { LOG_PARTITIONS: String(partitions), MIN_FREE_BYTES: '0' },
    processes: [
      { name: 'front', modules: ['ingest', 'query'] },
      { name: 'storage-a', modules: ['storage'] },
      { name: 'storage-b', modules: ['storage'] },
    ],
  })
  const url = fleet.urlFor('ingest')
  const tenants = await twoTenants(url, fleet.adminKey)
  const source = `/chaos/${name}`
  const ledger = await Ledger.open(join(home, 'ledger.ndjson'))
  const random = new Random(o.from)
  const load = new Load({ url, tenants, source, ledger, random, eventsPerSecond: o.eventsPerSecond, senders: 8 })
  try {
    load.onAnswer = (answer, batch) => {
      if (answer.status !== 202 && !isRightlyRefused(answer, batch))
        findings.add('ingest did not go on', `${answer.status} ${answer.text.slice(0, 200)}`)
    }
    await delay(5_000)
    await using standstill = new Standstill(fleet.postgresUrl)
    await standstill.start(partitions)
    await fault.strike(cluster, fleet)
    const struck = performance.now()
    await delay(Math.max(o.holdMs, (limitMs ?? 0) + beyondMs))
    if (limitMs === undefined) await fault.heal(cluster, fleet)
    const { longestMs: longestStandstillMs } = standstill
    if (limitMs !== undefined) {
      if (longestStandstillMs > limitMs) findings.add('a partition moved too late', `${longestStandstillMs} ms`)
      await fault.heal(cluster, fleet)
    }
    await delay(3_000)
    const healed = performance.now()
    await load.stop()
    judgeUnanswered(load.statuses, findings)
    await untilDirect(url)
    await awaitStored(url, await load.mark(), 120_000)
    const drainMs = Math.round(performance.now() - healed)
    // Else nothing was seen of it, and it stood still for ever.
    for (const partition of await standstill.still(struck))
      findings.add('a partition never moved again', `${partition}`)
    const expectation = { ledger, source, tenants }
    const stored = await verifyThroughApi(url, expectation, findings)
    await verifyRawRows(connectRaw(fleet.clickhouseUrl!), [expectation], findings)
    return {
      ...ledger.counts(),
      stored: [...stored.values()].reduce((a, b) => a + b, 0),
      answers: Object.fromEntries(load.statuses),
      longestStandstillMs,
      drainMs,
    }
  } catch (error) {
    console.log(fleet.output().slice(-20_000))
    throw error
  } finally {
    await load.stop(0)
    await ledger.close()
  }
}

/** Until the spool is empty: what is acknowledged from then on has a position. */
async function untilDirect(url: string, deadlineMs = 120_000): Promise<void> {
  const until = performance.now() + deadlineMs
  for (;;) {
    const health = (await (await fetch(`${url}/health`)).json()) as {
      parts: { log?: { state: string; reason?: string } }
    }
    if (health.parts.log?.state === 'ok') return
    if (performance.now() > until) throw new Error(`the log is not well: ${JSON.stringify(health.parts.log)}`)
    await delay(200)
  }
}
