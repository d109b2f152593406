import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { silentLogger, systemClock, systemRandom } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { consulUnavailable } from '../../../test/support/consul/program.ts'
import { startConsul } from '../../../test/support/consul/server.ts'
import { describeUnless } from '../../../test/support/suite.ts'
import type { Discovery } from '../discovery.ts'
import { consulDiscovery } from './consul.ts'
import { ProtocolAgent } from './protocol-agent.fixture.ts'
import { registerService, type ServiceRegistration } from './registration.ts'

/** What the suite needs of an agent; the real one and the protocol server both have it. */
interface Agent {
  readonly url: string
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

const within = { timeout: 30_000, interval: 20 }

async function startProtocolAgent(): Promise<Agent> {
  const agent = new ProtocolAgent()
  await agent.start()
  return agent
}

describe('with the protocol server', () => suite(startProtocolAgent))
describeUnless(consulUnavailable(), 'with Consul', () => suite(startConsul))

function suite(startAgent: () => Promise<Agent>): void {
  let agent: Agent
  /** Of a process that is always ready. */
  let healthPort: number
  let ready: Server
  const ends: (() => Promise<unknown>)[] = []
  let services = 0

  beforeAll(async () => {
    agent = await startAgent()
    ready = createServer((_, response) => response.end()).listen(0, '127.0.0.1')
    await once(ready, 'listening')
    healthPort = (ready.address() as AddressInfo).port
  })
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })
  afterAll(async () => {
    await agent.stop()
    ready.closeAllConnections()
    ready.close()
  })

  /** Of its own for each test: they share an agent. */
  const newService = (): string => `storage-${++services}`

  async function watch(name: string): Promise<Discovery> {
    const options = { access: { url: agent.url }, clock: systemClock, random: systemRandom, logger: silentLogger }
    const discovery = consulDiscovery(name, options)
    ends.push(() => discovery.stop())
    await discovery.start()
    return discovery
  }

  async function register(name: string, port: number, more: Partial<ServiceRegistration> = { healthPort }) {
    const service = { name, id: `${name}-${port}`, address: '127.0.0.1', port, ...more }
    const registration = registerService(service, {
      access: { url: agent.url },
      clock: systemClock,
      logger: silentLogger,
      everyMs: 1_000,
    })
    ends.push(() => registration.stop())
    await registration.start()
    return registration
  }

  const origins = (discovery: Discovery): string[] => discovery.current().map((instance) => instance.origin)
  const seen = (discovery: Discovery, ...ports: number[]) =>
    vi.waitFor(() => expect(origins(discovery)).toEqual(ports.map((port) => `http://127.0.0.1:${port}`)), within)

  it('lists instances as they are registered and deregistered, each the same object all along', async () => {
    const name = newService()
    const discovery = await watch(name)
    expect(discovery.health()).toMatchObject({ state: 'down' })
    await register(name, 7001)
    await seen(discovery, 7001)
    const first = discovery.current()[0]
    const second = await register(name, 7002)
    await seen(discovery, 7001, 7002)
    await second.stop()
    await seen(discovery, 7001)
    expect(discovery.current()[0]).toBe(first)
    expect(discovery.health()).toEqual({ state: 'ok' })
  })

  it('lists one for as long as its readiness answers 200', async () => {
    const name = newService()
    let status = 503
    const paths = new Set<string | undefined>()
    const server: Server = createServer((request, response) => {
      paths.add(request.url)
      response.writeHead(status).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    ends.push(async () => server.close())
    const { port } = server.address() as AddressInfo
    const discovery = await watch(name)
    await register(name, port, {})
    await vi.waitFor(() => expect([...paths]).toEqual(['/health/ready']), within)
    expect(origins(discovery)).toEqual([])
    status = 200
    await seen(discovery, port)
    status = 503
    await seen(discovery)
    status = 200
    await seen(discovery, port)
    server.closeAllConnections()
    server.close()
    await seen(discovery)
  })

  it('keeps what is known while Consul is gone, and registers again with one that has forgotten all', async () => {
    const name = newService()
    const discovery = await watch(name)
    const registration = await register(name, 7001)
    await seen(discovery, 7001)
    const before = discovery.current()
    await agent.kill()
    await vi.waitFor(() => expect(discovery.health().state).toBe('degraded'), within)
    await vi.waitFor(() => expect(registration.health().state).toBe('degraded'), within)
    expect(discovery.current()).toBe(before)

    await agent.start()
    await vi.waitFor(() => expect(registration.health().state).toBe('ok'), within)
    await vi.waitFor(() => expect(discovery.health().state).toBe('ok'), within)
    await seen(discovery, 7001)
    await register(name, 7002)
    await seen(discovery, 7001, 7002)
  })

  it('starts while Consul is away, and finds and registers once it is there', async () => {
    await agent.kill()
    const name = newService()
    const discovery = await watch(name)
    const registration = await register(name, 7001)
    expect(discovery.health()).toMatchObject({ state: 'down', reason: expect.stringContaining('does not answer') })
    expect(registration.health().state).toBe('degraded')
    await agent.start()
    await seen(discovery, 7001)
  })

  it('stops without an error while Consul is away', async () => {
    const registration = await register(newService(), 7001)
    await agent.kill()
    await registration.stop()
    await agent.start()
  })
}
