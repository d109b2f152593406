import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ProtocolAgent } from '../../src/discovery/consul/protocol-agent.fixture.ts'
import { a, srv, startNameServer } from '../../src/discovery/dns/name-server.fixture.ts'
import { moduleNames } from '../../src/registry.ts'
import { consulUnavailable } from '../support/consul/program.ts'
import { startConsul } from '../support/consul/server.ts'
import { type Fleet, startFleet } from '../support/fleet.ts'
import { describeUnless } from '../support/suite.ts'

/* Real processes that find each other by DNS and by Consul, by their settings alone. */

const within = { timeout: 30_000, interval: 100 }
const timeout = 120_000
const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

/** The one that provides, and the one that looks for it with the link. */
async function fleetWith(link: string, env: { front?: Record<string, string>; query?: Record<string, string> }) {
  const front = moduleNames.filter((name) => name !== 'query')
  const fleet = await startFleet({
    processes: [
      { name: 'front', modules: front, ...(env.front && { env: env.front }) },
      { name: 'query', modules: ['query'], env: { ...env.query, LINK_STORAGE_READ: link } },
    ],
    events: 'local',
  })
  ends.push(() => fleet.stop())
  return fleet
}

async function ask(fleet: Fleet, path: string, body?: object) {
  const url = fleet.urlFor(body ? 'ingest' : 'query')
  const headers = { authorization: `Bearer ${fleet.adminKey}`, 'content-type': 'application/json' }
  const more = body && { method: 'POST', body: JSON.stringify(body) }
  const response = await fetch(`${url}${path}`, { headers, ...more })
  return { status: response.status, json: (await response.json()) as Record<string, unknown> }
}

/** An event goes in at one process and is read at the other, which has found the first. */
async function readsWhatIsWritten(fleet: Fleet): Promise<void> {
  expect((await ask(fleet, '/v1/events?wait=stored', { id: '1', source: '/shop', type: 'order' })).status).toBe(200)
  await vi.waitFor(async () => {
    const { status, json } = await ask(fleet, '/v1/events')
    expect(status).toBe(200)
    expect(json.events).toHaveLength(1)
  }, within)
}

const originsOf = async (fleet: Fleet): Promise<unknown> => {
  const { json } = await ask(fleet, '/v1/topology')
  return (json.instances as Record<string, { origin: string }[]>)['storage.read']!.map(({ origin }) => origin)
}

it(
  'DNS: SRV records lead to the port of a process, and to none when they are gone',
  async () => {
    const names = await startNameServer()
    ends.push(async () => names.stop())
    const preload = fileURLToPath(new URL('./name-server-preload.fixture.mjs', import.meta.url))
    const query = { NODE_OPTIONS: `--import ${preload}`, NAME_SERVER: names.address }
    const fleet = await fleetWith('dns+http://_http._tcp.storage.test', { query })
    const { port } = new URL(fleet.urlFor('storage'))
    expect((await ask(fleet, '/v1/events')).status).toBe(503)
    names.records = [srv('_http._tcp.storage.test', 'one.test', Number(port), 10), a('one.test', '127.0.0.1', 1)]
    await readsWhatIsWritten(fleet)
    expect(await originsOf(fleet)).toEqual([`http://127.0.0.1:${port}`])
    names.records = []
    await vi.waitFor(async () => expect(await originsOf(fleet)).toEqual([]), within)
  },
  timeout,
)

interface Agent {
  readonly url: string
  stop(): Promise<void>
}

async function startProtocolAgent(): Promise<Agent> {
  const agent = new ProtocolAgent()
  await agent.start()
  return agent
}

describe('the protocol server', () => registersAndFinds(startProtocolAgent))
describeUnless(consulUnavailable(), 'Consul', () => registersAndFinds(startConsul))

function registersAndFinds(startAgent: () => Promise<Agent>): void {
  const name = 'modules are registered, found, and gone from it after a stop'
  it(name, { timeout }, async () => {
    const agent = await startAgent()
    ends.push(() => agent.stop())
    const consul = { CONSUL_URL: agent.url }
    const fleet = await fleetWith('consul://storage', { front: consul, query: consul })
    const passing = async (name: string): Promise<unknown> => {
      const all = (await (await fetch(`${agent.url}/v1/health/service/${name}?passing=true`)).json()) as {
        Service: { Address: string; Port: number }
      }[]
      return all.map(({ Service: { Address, Port } }) => `http://${Address}:${Port}`)
    }
    for (const name of moduleNames)
      await vi.waitFor(async () => expect(await passing(name)).toEqual([fleet.urlFor(name)]), within)
    await readsWhatIsWritten(fleet)
    expect(await originsOf(fleet)).toEqual([fleet.urlFor('storage')])

    expect(await fleet.process('front').stop()).toBe(0)
    for (const name of moduleNames) expect(await passing(name)).toEqual(name === 'query' ? [fleet.urlFor('query')] : [])
    await vi.waitFor(async () => expect(await originsOf(fleet)).toEqual([]), within)
    await fleet.process('front').start()
    await vi.waitFor(async () => expect((await ask(fleet, '/v1/events')).status).toBe(200), within)
  })
}
