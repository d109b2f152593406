import { silentLogger } from '@splitstream/kernel'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Discovery } from '../discovery.ts'
import { hostsOf } from '../host.ts'
import { ManualClock } from '../manual-clock.fixture.ts'
import { dnsDiscovery } from './dns.ts'
import { a, aaaa, type NameServer, srv, startNameServer, unknownToTheSystem } from './name-server.fixture.ts'
import { type NameSource, systemNames } from './names.ts'

let server: NameServer
let clock: ManualClock
let discovery: Discovery

beforeEach(async () => {
  server = await startNameServer()
  clock = new ManualClock()
})

afterEach(async () => {
  await discovery.stop()
  server.stop()
})

async function open(url: string, lookup?: NameSource['lookup']): Promise<void> {
  discovery = dnsDiscovery(hostsOf(url), { clock, logger: silentLogger, openSource: () => server.source(lookup) })
  await discovery.start()
}

const origins = (): string[] => discovery.current().map((instance) => instance.origin)

/** The next question is asked and answered, or has failed. */
async function nextRound(): Promise<void> {
  const asked = server.questions.length
  clock.advance(5_000)
  await vi.waitFor(() => expect(server.questions.length).toBeGreaterThan(asked))
  await idle()
}

const idle = (): Promise<void> => vi.waitFor(() => expect(clock.sleeping()).toHaveLength(1), { timeout: 5_000 })

describe('addresses of a name', () => {
  it('gives every address the port of the link, in an order that does not follow the records', async () => {
    server.records = [a('storage.test', '10.0.0.2'), a('storage.test', '10.0.0.1')]
    await open('http://storage.test:8080')
    expect(origins()).toEqual(['http://10.0.0.1:8080', 'http://10.0.0.2:8080'])
    const before = discovery.current()
    server.records = server.records.toReversed()
    await nextRound()
    expect(discovery.current()).toBe(before)
  })

  it('keeps the object of an address that stays when others come and go', async () => {
    server.records = [a('storage.test', '10.0.0.2'), a('storage.test', '10.0.0.3')]
    await open('http://storage.test:8080')
    const stays = discovery.current()[0]
    server.records = [a('storage.test', '10.0.0.2'), a('storage.test', '10.0.0.1')]
    await nextRound()
    expect(origins()).toEqual(['http://10.0.0.1:8080', 'http://10.0.0.2:8080'])
    expect(discovery.current()[1]).toBe(stays)
  })

  it('takes IPv6 addresses only of a name that has no other', async () => {
    server.records = [aaaa('six.test', 'fd00::1'), a('both.test', '10.0.0.1'), aaaa('both.test', 'fd00::2')]
    await open('http://six.test:8080,both.test:8081')
    expect(origins()).toEqual(['http://10.0.0.1:8081', 'http://[fd00::1]:8080'])
  })

  it('asks nobody about an IP address', async () => {
    await open('http://[::1]:8080,127.0.0.1:80')
    expect(origins()).toEqual(['http://127.0.0.1', 'http://[::1]:8080'])
    expect(server.questions).toEqual([])
  })

  it.each([
    { ttl: 0, waits: 1_000 },
    { ttl: 2, waits: 2_000 },
    { ttl: 300, waits: 5_000 },
  ])('asks again after $waits ms when the TTL is $ttl s', async ({ ttl, waits }) => {
    server.records = [a('storage.test', '10.0.0.1', 300), a('storage.test', '10.0.0.2', ttl)]
    await open('http://storage.test:8080')
    await idle()
    expect(clock.sleeping()).toEqual([waits])
  })
})

describe('the system’s own names', () => {
  const hostsFile = vi.fn<NameSource['lookup']>(async () => [
    { address: 'fd00::1', family: 6 },
    { address: '10.0.0.1', family: 4 },
  ])

  it('are used for a name that the servers do not know', async () => {
    await open('http://storage.test:8080', hostsFile)
    expect(origins()).toEqual(['http://10.0.0.1:8080'])
    expect(server.questions).toEqual(['A storage.test', 'AAAA storage.test'])
    expect(hostsFile).toHaveBeenCalledWith('storage.test')
  })

  it('are used where no name server runs', async () => {
    server.stop()
    await open('http://storage.test:8080', hostsFile)
    expect(origins()).toEqual(['http://10.0.0.1:8080'])
    server = await startNameServer()
  })

  it('say nothing about a name where no name server runs', async () => {
    server.stop()
    await open('http://storage.test:8080')
    expect(discovery.health()).toMatchObject({ reason: expect.stringContaining('ECONNREFUSED') })
    server = await startNameServer()
  })

  it('are all that is asked about localhost', async () => {
    await open('http://localhost:8080', systemNames)
    expect(origins()[0]).toMatch(/^http:\/\/(127\.0\.0\.1|\[::1\]):8080$/)
    expect(server.questions).toEqual([])
  })

  it('are not asked for a name that the servers know', async () => {
    server.records = [a('storage.test', '10.0.0.1')]
    const lookup = vi.fn(unknownToTheSystem)
    await open('http://storage.test:8080', lookup)
    expect(lookup).not.toHaveBeenCalled()
  })
})

describe('SRV records', () => {
  it('give the port, and more turns to the heavier', async () => {
    server.records = [
      srv('_http._tcp.storage.test', 'one.test', 8081, 30),
      srv('_http._tcp.storage.test', 'two.test', 8082, 10),
      a('one.test', '10.0.0.1'),
      a('two.test', '10.0.0.2'),
    ]
    await open('http://_http._tcp.storage.test')
    expect(origins().filter((origin) => origin === 'http://10.0.0.1:8081')).toHaveLength(3)
    expect(origins().filter((origin) => origin === 'http://10.0.0.2:8082')).toHaveLength(1)
    expect(new Set(discovery.current()).size).toBe(2)
  })

  it('of a higher priority number count only when the lower leads nowhere', async () => {
    const spare = [srv('_http._tcp.storage.test', 'spare.test', 8080, 0, 20), a('spare.test', '10.0.0.9')]
    server.records = [...spare, srv('_http._tcp.storage.test', 'one.test', 8080, 0, 10), a('one.test', '10.0.0.1')]
    await open('http://_http._tcp.storage.test')
    expect(origins()).toEqual(['http://10.0.0.1:8080'])
    server.records = server.records.filter((record) => record.name !== 'one.test')
    await nextRound()
    expect(origins()).toEqual(['http://10.0.0.9:8080'])
  })

  it('are for the name behind their labels, and of the scheme of the link', async () => {
    const name = '_https._tcp.storage.test'
    server.records = [srv(name, 'one.test', 8443), a('one.test', '10.0.0.1')]
    await open(`https://${name}`)
    expect(discovery.current()).toEqual([{ origin: 'https://10.0.0.1:8443', name: 'storage.test' }])
  })

  it('with the target "." say that there is none', async () => {
    server.records = [srv('_http._tcp.storage.test', '.', 0)]
    await open('http://_http._tcp.storage.test')
    expect(origins()).toEqual([])
    expect(discovery.health().state).toBe('down')
  })
})

describe('when DNS fails', () => {
  it.each(['fails', 'silent'] as const)(
    'keeps what is known while a server %s, and asks again a second later',
    async (mood) => {
      server.records = [a('storage.test', '10.0.0.1')]
      await open('http://storage.test:8080')
      const before = discovery.current()
      server.mood = mood
      await nextRound()
      expect(discovery.current()).toBe(before)
      expect(discovery.health()).toMatchObject({ state: 'degraded', reason: expect.stringContaining('storage.test') })
      expect(clock.sleeping()).toEqual([1_000])

      server.mood = 'answers'
      server.records = [a('storage.test', '10.0.0.2')]
      await nextRound()
      expect(origins()).toEqual(['http://10.0.0.2:8080'])
      expect(discovery.health()).toEqual({ state: 'ok' })
    },
  )

  it('keeps only the name that failed as it was', async () => {
    server.records = [a('one.test', '10.0.0.1'), a('two.test', '10.0.0.2')]
    await open('http://one.test:80,two.test:80', () =>
      Promise.reject(Object.assign(new Error(), { code: 'EAI_AGAIN' })),
    )
    server.records = [a('one.test', '10.0.0.3')]
    await nextRound()
    expect(origins()).toEqual(['http://10.0.0.2', 'http://10.0.0.3'])
    expect(discovery.health()).toMatchObject({
      reason: expect.stringContaining('two.test was not resolved (EAI_AGAIN)'),
    })
  })

  it('believes the answer that there is no such name', async () => {
    server.records = [a('storage.test', '10.0.0.1')]
    await open('http://storage.test:8080')
    server.records = []
    await nextRound()
    expect(origins()).toEqual([])
    expect(discovery.health().state).toBe('down')
  })

  it('starts without an answer', async () => {
    server.mood = 'fails'
    await open('http://storage.test:8080')
    expect(origins()).toEqual([])
    expect(discovery.health()).toMatchObject({ state: 'down', reason: expect.stringContaining('ESERVFAIL') })
  })

  it('does not hold up a start for longer than two seconds', async () => {
    const lookup = vi.fn(() => new Promise<never>(() => {}))
    const started = open('http://storage.test:8080', lookup)
    await vi.waitFor(() => expect(lookup).toHaveBeenCalled())
    clock.advance(2_000)
    await started
    expect(discovery.health().state).toBe('down')
  })
})

it('asks no more once it is stopped', async () => {
  server.records = [a('storage.test', '10.0.0.1')]
  await open('http://storage.test:8080')
  await idle()
  await discovery.stop()
  expect(clock.sleeping()).toEqual([])
  expect(origins()).toEqual(['http://10.0.0.1:8080'])
})
