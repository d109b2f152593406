import { createServer, isIPv6, type Server } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { silentLogger } from '@splitstream/kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { guardedConnector } from './connector.ts'
import { createEgress } from './egress.ts'
import { hostileAnswers, hostileHosts, loopbackHosts } from './hostile-hosts.fixture.ts'
import { never, outgoing, participants } from './participants.fixture.ts'
import { answer, rawServer } from './raw-server.fixture.ts'

/** On every address of this machine. Whoever gets in is counted, and told nothing. */
let canaries: Server[]
let port: number
let hits: number

beforeAll(async () => {
  const count = () =>
    createServer((socket) => {
      hits++
      socket.on('error', () => {}).destroy()
    })
  canaries = [count(), count()]
  await new Promise<void>((resolve) => canaries[0]!.listen({ host: '0.0.0.0', port: 0 }, resolve))
  port = (canaries[0]!.address() as { port: number }).port
  await new Promise<void>((resolve) => canaries[1]!.listen({ host: '::', ipv6Only: true, port }, resolve))
})
beforeEach(() => {
  hits = 0
})
afterAll(() => {
  for (const canary of canaries) canary.close()
})

const answers = (addresses: readonly string[]) => async () =>
  addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }))

const permanently = expect.objectContaining({ kind: 'refused', permanent: true })

describe('by default, nothing in here is reached', () => {
  it(`by what a URL can say (${hostileHosts.length} hosts, with and without TLS)`, async () => {
    expect(hostileHosts.length).toBeGreaterThan(200)
    const calls = participants({ egress: { allow: [], http: true } })
    for (const scheme of ['https', 'http']) {
      const outcomes = hostileHosts.map((host) => calls.call(outgoing(`${scheme}://${host}:${port}`), never))
      // The name is not known on this machine, or is not a name: that is as good.
      for (const [i, outcome] of (await Promise.all(outcomes)).entries()) {
        expect(outcome.kind, `${scheme}://${hostileHosts[i]}`).toBe('refused')
      }
    }
    await delay(50)
    expect(hits).toBe(0)
    await calls.close()
  })

  it(`by what a resolver can say (${hostileAnswers.length} answers)`, async () => {
    for (const addresses of hostileAnswers) {
      const calls = participants({ egress: { allow: [], http: true }, lookup: answers(addresses) })
      for (const scheme of ['https', 'http']) {
        const outcome = await calls.call(outgoing(`${scheme}://127.0.0.1.nip.test:${port}`), never)
        expect(outcome, `${scheme} ${addresses}`).toEqual(permanently)
      }
      await calls.close()
    }
    expect(hits).toBe(0)
  })

  it('by other protocols, or none', async () => {
    const calls = participants({ egress: { allow: [] } })
    const urls = [
      'ftp://127.0.0.1',
      'file:///etc/passwd',
      'ws://localhost',
      'unix:/run/x.sock',
      'http+unix://%2frun%2fx',
    ]
    for (const url of [
      ...urls,
      'data:,x',
      'javascript:1',
      '//localhost',
      '/charge',
      '',
      'localhost',
      'https:///',
      'x y',
    ]) {
      expect(await calls.call(outgoing('', { url }), never), url).toEqual(permanently)
    }
    await calls.close()
  })

  it('nor anything on the internet without TLS, or on a port that is not listed', async () => {
    const lookup = answers(['93.184.215.14'])
    const strict = participants({ egress: { allow: [] }, lookup })
    expect(await strict.call(outgoing('http://example.com'), never)).toEqual(permanently)
    const listed = participants({ egress: { allow: [], ports: [443] }, lookup })
    expect(await listed.call(outgoing('https://example.com:8443'), never)).toMatchObject({
      ...{ kind: 'refused', permanent: true },
      why: expect.stringMatching(/or its port to SAGA_PORTS$/),
    })
    await Promise.all([strict.close(), listed.close()])
  })

  it('and the corpus does reach this machine where all is allowed', async () => {
    const calls = participants({ egress: { allow: ['0.0.0.0/0', '::/0'] } })
    const enough = new AbortController()
    const request = (host: string) => outgoing(`http://${host}:${port}`, { timeoutMs: 20_000 })
    const reach = loopbackHosts.map((host) => calls.call(request(host), enough.signal))
    // Some lead nowhere and would only end with their time.
    await expect.poll(() => hits, { timeout: 20_000 }).toBeGreaterThan(60)
    enough.abort()
    await Promise.all(reach)
    await calls.close()
  })
})

describe('an address', () => {
  it('is looked at again for each connection: an answer that changes leads nowhere', async () => {
    const good = await rawServer((socket) => socket.end(answer('200 OK', '{}')), '127.0.0.2', 0)
    const canary = await rawServer((socket) => socket.end(answer('200 OK', '{}')), '127.0.0.1', good.port)
    let asked = 0
    const lookup = async () => [{ address: asked++ % 2 === 0 ? '127.0.0.2' : '127.0.0.1', family: 4 }]
    const calls = participants({ egress: { allow: ['127.0.0.2'] }, lookup })
    for (let i = 0; i < 20; i++) {
      const outcome = await calls.call(outgoing(`http://rebind.test:${good.port}`), never)
      expect(outcome).toEqual(i % 2 === 0 ? expect.objectContaining({ status: 200 }) : permanently)
      await delay(5)
    }
    expect(asked).toBe(20)
    expect([good.connections(), canary.connections()]).toEqual([10, 0])
    await Promise.all([good.close(), canary.close(), calls.close()])
  })

  it('is looked at again once it is connected', async () => {
    const server = await rawServer(() => {})
    let looks = 0
    const egress = { ...createEgress({ allow: [] }), permits: () => looks++ === 0 }
    const connect = guardedConnector(new URL(server.url), {
      egress,
      lookup: answers(['127.0.0.1']),
      timeoutMs: 1_000,
      logger: silentLogger,
    })
    const target = { hostname: '127.0.0.1', host: '127.0.0.1', protocol: 'http:', port: String(server.port) }
    const error = await new Promise((resolve) => connect(target, (...[failed]) => resolve(failed)))
    expect(String(error)).toContain('SAGA_ALLOW_PRIVATE')
    await delay(20)
    expect(server.requests).toEqual([])
    await server.close()
  })

  it('in a redirect is not gone to', async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      const location = `location: http://127.0.0.1:${port}/\r\n`
      const server = await rawServer(
        (socket) => void socket.write(answer(`${status} Moved`, '', location)),
        '127.0.0.2',
      )
      const calls = participants({ egress: { allow: ['127.0.0.2'] } })
      expect(await calls.call(outgoing(server.url), never)).toEqual(
        expect.objectContaining({ kind: 'answered', status }),
      )
      await Promise.all([server.close(), calls.close()])
    }
    expect(hits).toBe(0)
  })

  it('is asked for once when many connect at the same time', async () => {
    const server = await rawServer((socket) => void socket.write(answer('200 OK', '{}')))
    let asked = 0
    const lookup = async () => {
      asked++
      await delay(20)
      return [{ address: '127.0.0.1', family: 4 }]
    }
    const calls = participants({ egress: { allow: ['payments.test'] }, lookup })
    const request = outgoing(`http://payments.test:${server.port}`)
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => calls.call(request, never)))
    expect(outcomes.filter(({ kind }) => kind === 'answered')).toHaveLength(30)
    expect(asked).toBe(1)
    await Promise.all([server.close(), calls.close()])
  })
})

describe('proxies of the environment', () => {
  it('are not used', async () => {
    const server = await rawServer((socket) => void socket.write(answer('200 OK', '{}')))
    const variables = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NODE_USE_ENV_PROXY'] as const
    for (const name of variables) process.env[name] = name === 'NODE_USE_ENV_PROXY' ? '1' : `http://127.0.0.1:${port}`
    try {
      const calls = participants()
      expect(await calls.call(outgoing(server.url), never)).toEqual(expect.objectContaining({ status: 200 }))
      expect(hits).toBe(0)
      await calls.close()
    } finally {
      for (const name of variables) delete process.env[name]
      await server.close()
    }
  })
})
