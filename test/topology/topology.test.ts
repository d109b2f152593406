import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startStubParticipants } from '@splitstream/sagas/kit/demo'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { moduleNames } from '../../src/registry.ts'
import { Authority } from '../../src/transports/http/tls/authority.fixture.ts'
import { Mounted } from '../../src/transports/http/tls/mounted.fixture.ts'
import { type EventsPlace, startFleet } from '../support/fleet.ts'
import { type KafkaCluster, startKafka } from '../support/kafka/start.ts'
import { describeWithKafka } from '../support/kafka/suite.ts'
import { deleteTopics } from '../support/kafka/topic.ts'
import { type Layout, layouts, setPartitions } from './layouts.ts'
import { type Installation, scenario, type Told } from './scenario.ts'
import { startTraced } from './traces/traced.ts'
import { urlsOf } from './urls.ts'

/** Of starts, restarts and stops of up to six processes on busy cores. */
const timeout = 240_000
const over = (log: Layout['events']): [string, Layout][] =>
  layouts().flatMap((layout): [string, Layout][] => (layout.events === log ? [[layout.name, layout]] : []))
let first: { readonly name: string; readonly told: readonly Told[] } | undefined

/** What the process says that it runs. */
async function runningAt(url: string, key: string): Promise<unknown> {
  const response = await fetch(`${url}/v1/topology`, { headers: { authorization: `Bearer ${key}` } })
  return ((await response.json()) as { modules: unknown }).modules
}

/** Of all processes of a fleet, valid for this machine's loopback. */
async function makeCertificates() {
  const [authority, mounted] = await Promise.all([Authority.create('topology'), Mounted.create()])
  await mounted.become(await authority.issue({ names: ['IP:127.0.0.1'] }), authority.ca)
  await authority.close()
  return { files: mounted.files, [Symbol.asyncDispose]: () => mounted.close() }
}

/** With two instances of a module, partitions move while they begin, and a block that is stored again is told again. */
function tracesAreFixed(processes: Layout['processes']): boolean {
  const modules = processes.flatMap((one) => one.modules)
  return new Set(modules).size === modules.length
}

/** What sagas call; it takes no shipment to Antarctica. */
async function startParticipants() {
  const stubs = await startStubParticipants()
  return { ...stubs, [Symbol.asyncDispose]: stubs.close }
}

/**
 * Runs the scenario on a fleet of this layout. Its clients were told the same as those of the layout before, and traces are the same.
 * @returns its topic
 */
async function run({ name, processes, tls, env: more }: Layout, events: EventsPlace): Promise<string> {
  await using participants = await startParticipants()
  await using certificates = tls ? await makeCertificates() : undefined
  await using traced = await startTraced()
  // A request that is not served says why at this level only.
  const env = { LOG_LEVEL: 'debug', ...traced.env, ...more }
  const shown = certificates && { tls: certificates.files }
  await using fleet = await startFleet({ processes, events, sharedClickHouse: true, env, ...shown })
  const place: Installation = {
    urls: urlsOf(fleet),
    participants,
    engineUrl: fleet.clickhouseUrl!,
    operatorKey: fleet.adminKey,
    restartAll: async () => {
      for (const process of fleet.processes) await process.restart()
    },
  }
  try {
    for (const { url, modules } of fleet.processes) {
      expect(await runningAt(url, fleet.adminKey)).toEqual(modules)
      // Over mutual TLS, ports are where that is and nowhere else.
      if (tls) expect((await fetch(`${url}/internal/ports`)).status).toBe(404)
    }
    if (tracesAreFixed(processes)) await traced.tell(fleet)
    const told = await scenario(place)
    first ??= { name, told }
    expect(told, `the same as with ${first.name}`).toEqual(first.told)
    // With it the last spans come.
    await fleet.stop()
    if (tracesAreFixed(processes)) traced.check()
  } catch (error) {
    process.stderr.write(`${name}:\n${fleet.output().slice(-20_000)}\n`)
    throw error
  }
  return fleet.topic
}

describe('one scenario, the log in the process', () => {
  it.each(over('local'))('%s', async (_, layout) => void (await run(layout, 'local')), timeout)
})

describeWithKafka('one scenario, the log on Kafka', () => {
  let cluster: KafkaCluster
  const topics: string[] = []

  beforeAll(async () => {
    cluster = await startKafka()
  }, 300_000) // the jars may have to be downloaded first

  afterAll(async () => {
    if (cluster?.kind === 'external') await deleteTopics(cluster.brokers, topics)
    await cluster?.stop()
  })

  it.each(over('kafka'))(
    '%s',
    async (_, layout) => {
      topics.push(await run(layout, { brokers: cluster.brokers }))
    },
    timeout,
  )
})

describe('the table of layouts', () => {
  it('has all set partitions', () => {
    expect([1, 2, 3, 4, 5].map((n) => setPartitions(Array.from({ length: n }, (_, i) => i)).length)).toEqual([
      1, 2, 5, 15, 52,
    ])
    const names = setPartitions(moduleNames).map((groups) => JSON.stringify(groups.map((g) => g.toSorted()).toSorted()))
    expect(new Set(names).size).toBe(names.length)
  })
})

/** Branches on placement would need to know it. */
it('the scenario knows addresses, keys and nothing of what runs where', () => {
  const folder = fileURLToPath(new URL('scenario/', import.meta.url))
  const files = [...readdirSync(folder).map((name) => `scenario/${name}`), 'scenario.ts']
  for (const file of files) {
    const text = readFileSync(new URL(file, import.meta.url), 'utf8')
    const imported = [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(([, path]) => path!)
    expect(
      imported.filter(
        (path) => !/^(node:timers\/promises|vitest|\.\/[a-z-]+\.ts|\.\/scenario\/[a-z-]+\.ts)$/.test(path),
      ),
    ).toEqual([])
    expect(text).not.toMatch(/process\.|kafka|fleet|layout|registry|MODULES|LINK_/i)
  }
  expect(files.length).toBeGreaterThan(5)
})
