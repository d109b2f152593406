import { silentLogger, systemRandom } from '@splitstream/kernel'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Discovery } from '../discovery.ts'
import { ManualClock } from '../manual-clock.fixture.ts'
import { consulDiscovery } from './consul.ts'
import { ProtocolAgent } from './protocol-agent.fixture.ts'

/* What a real Consul does now and then, and no test can make it do. */

let agent: ProtocolAgent
let clock: ManualClock
let discovery: Discovery

beforeEach(async () => {
  agent = new ProtocolAgent()
  clock = new ManualClock()
  await agent.start()
  put(7001)
})
afterEach(async () => {
  await discovery.stop()
  await agent.stop()
})

function put(port: number): void {
  agent.catalog.keep({ Name: 'storage', ID: `storage-${port}`, Address: '10.0.0.1', Port: port }, 'passing')
}

async function watch(token?: string): Promise<void> {
  const access = token === undefined ? { url: agent.url } : { url: agent.url, token }
  discovery = consulDiscovery('storage', { access, clock, random: systemRandom, logger: silentLogger })
  await discovery.start()
}

const origins = (): string[] => discovery.current().map((instance) => instance.origin)

/** Lets time pass until the queries are as expected. */
const queried = (...expected: object[]) =>
  vi.waitFor(() => {
    clock.advance(1_000)
    expect(agent.queries.slice(-expected.length)).toEqual(expected)
  })

const first = { passing: 'true' }
const waiting = (index: number) => ({ passing: 'true', index: String(index), wait: '30s' })

describe('the index', () => {
  it('of an answer is what the next query waits for', async () => {
    agent.catalog.index = 100
    await watch()
    await queried(first, waiting(100))
    agent.catalog.change()
    await queried(waiting(100), waiting(101))
  })

  it('begins anew when it goes backwards', async () => {
    agent.catalog.index = 100
    await watch()
    await queried(first, waiting(100))
    agent.override = { headers: { 'x-consul-index': '50' } }
    agent.catalog.change()
    await queried(first, waiting(50))
  })

  it.each(['0', '-1', '', 'many'])('%j is taken as 1, so that no query spins', async (index) => {
    agent.override = { headers: { 'x-consul-index': index } }
    await watch()
    await queried(first, waiting(1))
  })

  it('begins anew after an error', async () => {
    agent.catalog.index = 100
    await watch()
    await queried(first, waiting(100))
    agent.override = { status: 500 }
    agent.catalog.change()
    await vi.waitFor(() => expect(discovery.health().state).toBe('degraded'))
    agent.override = {}
    await queried(first, waiting(101))
  })
})

describe('an answer that is of no use', () => {
  it.each([
    ['a 500', { status: 500, body: 'No cluster leader' }, 'Consul answered 500'],
    ['a 403', { status: 403, body: 'Permission denied' }, 'Consul answered 403'],
    ['a 429', { status: 429 }, 'Consul answered 429'],
    ['no JSON', { status: 200, body: '<html>' }, 'Consul for storage'],
    ['no list', { status: 200, body: '{}' }, 'not a list'],
    [
      'a list that the token may not see',
      { status: 200, body: '[]', headers: { 'x-consul-results-filtered-by-acls': 'true' } },
      'the token does not allow',
    ],
  ])('%s: what is known stays', async (_, override, reason) => {
    await watch()
    const before = discovery.current()
    agent.override = override
    agent.catalog.change()
    await vi.waitFor(() => {
      clock.advance(1_000)
      expect(discovery.health()).toMatchObject({ state: 'degraded', reason: expect.stringContaining(reason) })
    })
    expect(discovery.current()).toBe(before)
    agent.override = {}
    put(7002)
    await vi.waitFor(() => {
      clock.advance(1_000)
      expect(origins()).toEqual(['http://10.0.0.1:7001', 'http://10.0.0.1:7002'])
    })
    expect(discovery.health()).toEqual({ state: 'ok' })
  })

  it('ends when it is too large', async () => {
    await watch()
    agent.override = { status: 200, body: ' '.repeat(9 << 20) }
    agent.catalog.change()
    await vi.waitFor(() => {
      clock.advance(1_000)
      expect(discovery.health()).toMatchObject({ reason: expect.stringContaining('bytes') })
    })
    expect(origins()).toEqual(['http://10.0.0.1:7001'])
  })
})

it('reads addresses as Consul gives them', async () => {
  const entry = (service: object, node = '10.0.0.9') => ({ Node: { Address: node }, Service: service })
  agent.override = {
    body: JSON.stringify([
      entry({ Address: '', Port: 1 }),
      entry({ Address: 'fd00::1', Port: 2 }),
      entry({ Address: 'node.internal', Port: 3, Weights: { Passing: 2 } }),
      entry({ Address: '10.0.0.1', Port: 0 }),
      entry({ Address: 'no address', Port: 4 }),
      {},
    ]),
  }
  await watch()
  expect(new Set(origins())).toEqual(new Set(['http://10.0.0.9:1', 'http://[fd00::1]:2', 'http://node.internal:3']))
  expect(origins().filter((origin) => origin === 'http://node.internal:3')).toHaveLength(2)
})

it('sends the token, and none when there is none', async () => {
  await watch('s3cret')
  await vi.waitFor(() => expect(agent.tokens).toContain('s3cret'))
  await discovery.stop()
  agent.tokens.length = 0
  await watch()
  await vi.waitFor(() => expect(agent.tokens).toContain(undefined))
})

it('ends the query that waits when it is stopped', async () => {
  await watch()
  await queried(first, waiting(agent.catalog.index))
  await discovery.stop()
  const asked = agent.queries.length
  put(7002)
  clock.advance(60_000)
  await agent.kill() // resolves only when no connection is held
  expect(agent.queries).toHaveLength(asked)
  expect(origins()).toEqual(['http://10.0.0.1:7001'])
})
