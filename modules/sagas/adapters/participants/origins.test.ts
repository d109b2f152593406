import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { afterEach, describe, expect, it } from 'vitest'
import { Origins } from './origins.ts'
import { never, outgoing, participants } from './participants.fixture.ts'
import type { ParticipantLimits, ParticipantsDeps } from './participants.ts'
import { answer, type Behaviour, type RawServer, rawServer } from './raw-server.fixture.ts'

let calls: ReturnType<typeof participants>
const servers: RawServer[] = []

const begin = (maxOrigins: number, given: Partial<ParticipantsDeps> = {}) => {
  const limits: Partial<ParticipantLimits> = { maxOrigins }
  calls = participants({ limits, ...given })
}
const serverThat = async (behave: Behaviour): Promise<RawServer> => {
  const server = await rawServer(behave)
  servers.push(server)
  return server
}
const call = ({ url }: RawServer, tenant: string) => calls.call(outgoing(url, { tenant, timeoutMs: 20_000 }), never)

afterEach(() => Promise.all([calls.close(), ...servers.splice(0).map((server) => server.close())]))

const answered = expect.objectContaining({ kind: 'answered', status: 200 })
const postponed = { kind: 'postponed', afterMs: 1_000, why: expect.stringContaining('hosts') }
const ok = answer('200 OK', '{}', 'content-type: application/json\r\nkeep-alive: timeout=600\r\n')
const answering: Behaviour = (socket) => void socket.write(ok)

/** Answers when the test says so. */
function holding() {
  const held: (() => void)[] = []
  const behave: Behaviour = (socket) => void held.push(() => socket.write(ok))
  const end = async (n: number) => {
    while (held.length < n) await delay(5)
    for (const answerOne of held.splice(0)) answerOne()
  }
  return { behave, held, end }
}

describe('the hosts that calls go to', () => {
  it('may be full: a call to one more waits its turn, which costs it no attempt', async () => {
    begin(1)
    const { behave, end, held } = holding()
    const [busy, other] = [await serverThat(behave), await serverThat(answering)]
    const first = call(busy, 'a')
    while (held.length < 1) await delay(5)
    expect(await call(other, 'b')).toEqual(postponed)
    expect(other.connections()).toBe(0)
    await end(1)
    expect(await first).toEqual(answered)
    expect(await call(other, 'b')).toEqual(answered)
  })

  it('make room when they are only kept connected, the one that was unused for the longest time first', async () => {
    begin(2)
    const [x, y, z] = [await serverThat(answering), await serverThat(answering), await serverThat(answering)]
    for (const server of [x, y, x, z, x]) expect(await call(server, 'a')).toEqual(answered)
    expect([x.connections(), y.connections(), z.connections()]).toEqual([1, 1, 1])
    await call(y, 'a')
    expect(y.connections()).toBe(2)
  })

  it('are not all for one tenant', async () => {
    begin(5)
    const { behave, end } = holding()
    const hosts = await Promise.all(Array.from({ length: 5 }, () => serverThat(behave)))
    const other = await serverThat(answering)
    const greedy = hosts.map((host) => call(host, 'a'))
    expect(await greedy[4]).toEqual(postponed)
    expect(await call(other, 'b')).toEqual(answered)
    await end(4)
    expect(await Promise.all(greedy.slice(0, 4))).toEqual(Array.from({ length: 4 }, () => answered))
  })

  it('that are many at once to one host take one place', async () => {
    begin(1)
    const { behave, end } = holding()
    const host = await serverThat(behave)
    const all = Array.from({ length: 10 }, (_, i) => call(host, `tenant ${i}`))
    await end(10)
    expect(await Promise.all(all)).toEqual(Array.from({ length: 10 }, () => answered))
  })

  it('do not keep a connection for as long as they like', async () => {
    begin(10, { limits: { maxIdleMs: 100 } })
    let open = 0
    const host = await serverThat((socket) => {
      open++
      socket.on('close', () => open--).write(ok)
    })
    expect(await call(host, 'a')).toEqual(answered)
    expect(open).toBe(1)
    while (open > 0) await delay(20)
  })
})

describe('the connections to a host', () => {
  const pools: Pool[] = []
  const origins = () =>
    new Origins(10, (url) => {
      const pool = new Pool(url, { connections: 1 })
      pools.push(pool)
      return pool
    })
  const ask = async (all: Origins, { url }: { url: string }) => {
    const place = all.take(new URL(url).origin, 'a')!
    try {
      await (await (place.dispatcher as Pool).request({ method: 'GET', path: '/' })).body.text()
    } finally {
      place.give()
    }
  }
  const inTurn = (...behaviours: readonly Behaviour[]) => {
    let n = 0
    return serverThat((socket, request) => behaviours[n++]!(socket, request))
  }
  const ending: Behaviour = (socket) => void socket.end(ok)
  const breaking: Behaviour = (socket) => void socket.destroy()
  const isDropped = async (pool: Pool) => {
    while (!pool.destroyed) await delay(5)
  }
  afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.destroy())))

  it('are kept from call to call', async () => {
    const [all, host] = [origins(), await serverThat(answering)]
    for (let i = 0; i < 3; i++) await ask(all, host)
    expect(pools.map(({ destroyed }) => destroyed)).toEqual([false])
    expect(host.connections()).toBe(1)
  })

  it('are forgotten once none is left, after a call and during one', async () => {
    const [all, host] = [origins(), await inTurn(ending, breaking)]
    await ask(all, host)
    await isDropped(pools[0]!)
    await expect(ask(all, host)).rejects.toThrow()
    await isDropped(pools[1]!)
  })

  it('are forgotten when the last of them breaks during the second call', async () => {
    const [all, host] = [origins(), await inTurn(answering, breaking)]
    await ask(all, host)
    await expect(ask(all, host)).rejects.toThrow()
    expect(pools).toHaveLength(1)
    await isDropped(pools[0]!)
  })

  it('are forgotten when there never was one', async () => {
    const [all, host] = [origins(), await serverThat(answering)]
    await host.close()
    await expect(ask(all, host)).rejects.toThrow()
    await isDropped(pools[0]!)
  })
})
