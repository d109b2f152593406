import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { noMetrics, silentLogger, systemClock } from '@splitstream/kernel'
import { afterEach, expect, it, vi } from 'vitest'
import { loadConfig } from './config.ts'
import { consulDiscovery } from './discovery/consul/consul.ts'
import { ProtocolAgent } from './discovery/consul/protocol-agent.fixture.ts'
import { ProcessHealth } from './health/process-health.ts'
import { registrations } from './remote.ts'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const health = new ProcessHealth({ clock: systemClock, metrics: noMetrics })
const options = { clock: systemClock, logger: silentLogger, health }

it('a module that others call over mutual TLS is registered at the port of that, and found by its name', async () => {
  const agent = new ProtocolAgent()
  await agent.start()
  ends.push(() => agent.stop())
  const config = loadConfig({ CONSUL_URL: agent.url, ADVERTISE_HOST: 'host.test', MODULES: 'storage,query' })
  const internal = { url: 'https://0.0.0.0:8443', called: new Set(['storage']) }
  const part = registrations(
    { url: 'http://0.0.0.0:8080', internal },
    { config, ...options, consul: () => ({ url: agent.url }) },
  )
  ends.push(() => part.stop())
  await part.start()
  const found = async (name: string, scheme: 'http' | 'https') => {
    const random = { bytes: () => new Uint8Array(0), fraction: () => 0 }
    const discovery = consulDiscovery(name, { access: { url: agent.url }, ...options, random, scheme })
    ends.push(() => discovery.stop())
    await discovery.start()
    // Nobody answers for its health, so it is told here.
    agent.catalog.tell(`service:${name}-host.test-8080`, 'passing')
    await vi.waitFor(() => expect(discovery.current()).toHaveLength(1))
    return discovery.current()[0]
  }
  expect(await found('storage', 'https')).toEqual({ origin: 'https://host.test:8443', name: 'storage' })
  expect(await found('query', 'http')).toEqual({ origin: 'http://host.test:8080', name: 'query' })
})

it('a Consul that does not answer holds up the start and the stop of all modules for as long as of one', async () => {
  const silent = createServer(() => {})
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  ends.push(async () => {
    silent.closeAllConnections()
    silent.close()
  })
  const CONSUL_URL = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const config = loadConfig({ CONSUL_URL, MODULES: 'ingest,storage,query,sagas' })
  const part = registrations(
    { url: 'http://127.0.0.1:8080', internal: undefined },
    { config, ...options, consul: () => ({ url: CONSUL_URL }) },
  )
  const from = performance.now()
  await part.start()
  await part.stop()
  // Of one: 2 s for the first answer, and as long for each of its two last requests.
  expect(performance.now() - from).toBeLessThan(7_500)
})
