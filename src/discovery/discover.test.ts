import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { silentLogger, systemClock } from '@splitstream/kernel'
import { afterEach, expect, it, vi } from 'vitest'
import { ProtocolAgent } from './consul/protocol-agent.fixture.ts'
import { registerService } from './consul/registration.ts'
import { type DiscoverOptions, type DiscoveryLink, discover } from './discover.ts'

const options: DiscoverOptions = { clock: systemClock, logger: silentLogger }
const ends: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function open(link: DiscoveryLink, more: Partial<DiscoverOptions> = {}) {
  const discovery = discover(link, { ...options, ...more })
  ends.push(() => discovery.stop())
  await discovery.start()
  return discovery
}

it('finds fixed addresses', async () => {
  const discovery = await open({ kind: 'static', url: 'http://storage:8080,10.0.0.1:8081,[fd00::1]:8082,plain' })
  const origins = ['http://storage:8080', 'http://10.0.0.1:8081', 'http://[fd00::1]:8082', 'http://plain']
  expect(discovery.current().map(({ origin }) => origin)).toEqual(origins)
  expect(discovery.health()).toEqual({ state: 'ok' })
})

it('finds what is called over TLS, by the name that its certificate is for', async () => {
  const fixed = await open({ kind: 'static', url: 'https://storage:8443,plain' })
  expect(fixed.current()).toEqual([{ origin: 'https://storage:8443' }, { origin: 'https://plain' }])
  const found = await open({ kind: 'dns', url: 'https://localhost:8443' })
  const origin = expect.stringMatching(/^https:\/\/(127\.0\.0\.1|\[::1\]):8443$/)
  expect(found.current()[0]).toEqual({ origin, name: 'localhost' })
})

it('finds by DNS', async () => {
  const discovery = await open({ kind: 'dns', url: 'http://localhost:8080' })
  expect(discovery.current()[0]!.origin).toMatch(/^http:\/\/(127\.0\.0\.1|\[::1\]):8080$/)
})

it('finds by Consul, whose names have upper and lower case', async () => {
  const agent = new ProtocolAgent()
  await agent.start()
  ends.push(() => agent.stop())
  const ready = createServer((_, response) => response.end()).listen(0, '127.0.0.1')
  await once(ready, 'listening')
  ends.push(async () => {
    ready.closeAllConnections()
    ready.close()
  })
  const { port: healthPort } = ready.address() as AddressInfo
  const access = { url: agent.url }
  const service = { name: 'Storage', id: 'one', address: '127.0.0.1', port: 8080, healthPort }
  const registration = registerService(service, { ...options, access })
  ends.push(() => registration.stop())
  await registration.start()
  const discovery = await open({ kind: 'consul', url: 'http://Storage' }, { consul: access })
  await vi.waitFor(() => expect(discovery.view().map(({ origin }) => origin)).toEqual(['http://127.0.0.1:8080']))
  expect(discovery.current()).toHaveLength(1)
})

it.each<DiscoveryLink>([
  { kind: 'static', url: '' },
  { kind: 'static', url: 'ftp://storage:8080' },
  { kind: 'static', url: 'http://storage:8080/path' },
  { kind: 'static', url: 'http://user@storage:8080' },
  { kind: 'static', url: 'http://storage:8080,,other:8080' },
  { kind: 'dns', url: 'http://storage:0' },
  { kind: 'dns', url: 'http://storage:65536' },
  { kind: 'dns', url: 'http://fd00::1:8080' },
  { kind: 'consul', url: 'http://storage:8080' },
  { kind: 'consul', url: 'http://storage,other' },
])('refuses $kind $url', (link) => {
  expect(() => discover(link, options)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
})

it.each(['consul:8500', 'ftp://consul', 'http://user:pass@consul:8500'])('refuses Consul at %s', (url) => {
  const link = { kind: 'consul', url: 'http://storage' } as const
  expect(() => discover(link, { ...options, consul: { url } })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID' }),
  )
})
