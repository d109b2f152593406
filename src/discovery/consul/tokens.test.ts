import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { silentLogger, systemClock, systemRandom } from '@splitstream/kernel'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { consulUnavailable } from '../../../test/support/consul/program.ts'
import { type ConsulServer, startConsul } from '../../../test/support/consul/server.ts'
import { describeUnless } from '../../../test/support/suite.ts'
import type { Discovery } from '../discovery.ts'
import { consulDiscovery } from './consul.ts'
import { registerService } from './registration.ts'

const within = { timeout: 30_000, interval: 50 }
const finds = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }'
const registers = 'service_prefix "" { policy = "write" } node_prefix "" { policy = "read" }'

describeUnless(consulUnavailable(), 'a Consul that asks for tokens', () => {
  let consul: ConsulServer
  let ready: Server
  let port: number
  const ends: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    consul = await startConsul({ tokens: true })
    ready = createServer((_, response) => response.end()).listen(0, '127.0.0.1')
    await once(ready, 'listening')
    port = (ready.address() as AddressInfo).port
  })
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })
  afterAll(async () => {
    ready.closeAllConnections()
    ready.close()
    await consul.stop()
  })

  const accessOf = (token: string | undefined) => ({ url: consul.url, ...(token !== undefined && { token }) })

  async function watch(token: string | undefined): Promise<Discovery> {
    const o = { access: accessOf(token), clock: systemClock, random: systemRandom, logger: silentLogger }
    const discovery = consulDiscovery('storage', o)
    ends.push(() => discovery.stop())
    await discovery.start()
    return discovery
  }

  async function register(token: string | undefined) {
    const service = { name: 'storage', id: randomUUID(), address: '127.0.0.1', port, healthPort: port }
    const o = { access: accessOf(token), clock: systemClock, logger: silentLogger, everyMs: 1_000 }
    const registration = registerService(service, o)
    ends.push(() => registration.stop())
    await registration.start()
    return registration
  }

  it('takes and shows an instance with the rights that the documents name', async () => {
    const discovery = await watch(await consul.token(finds))
    await register(await consul.token(registers))
    await vi.waitFor(() => expect(discovery.current()).toMatchObject([{ origin: `http://127.0.0.1:${port}` }]), within)
  })

  it.each([
    ['a token without rights', () => consul.token('key_prefix "other/" { policy = "read" }'), 'does not allow to read'],
    ['a token that it does not know', async () => randomUUID(), '403'],
  ])('shows nothing to %s, and that is said', async (_, token, why) => {
    await register(await consul.token(registers))
    const other = await watch(await consul.token(finds))
    await vi.waitFor(() => expect(other.current()).toHaveLength(1), within)
    const discovery = await watch(await token())
    await vi.waitFor(() => expect(discovery.health()).toMatchObject({ reason: expect.stringContaining(why) }), within)
    expect(discovery.current()).toEqual([])
  })

  it('does not take an instance from a token that may only read', async () => {
    const registration = await register(await consul.token(finds))
    const health = { state: 'degraded', reason: expect.stringContaining('403') }
    await vi.waitFor(() => expect(registration.health()).toMatchObject(health), within)
  })
})
