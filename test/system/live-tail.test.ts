import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort, type RunningServer, startServer } from '../support/server.ts'
import { afterTest, newDataDir } from './lives.fixture.ts'

const key = 'live-tail-key-live-tail-key-live-tail-key'
const root = fileURLToPath(new URL('../../', import.meta.url))
const node = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url))
const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' }
const env = { ADMIN_KEY: key, LOG_LEVEL: 'warn', LOG_PARTITIONS: '4' }

const tails: ChildProcess[] = []
afterEach(() => {
  for (const tail of tails.splice(0)) tail.kill('SIGKILL')
})

interface Tail {
  readonly lines: string[]
  readonly child: ChildProcess
  err(): string
  /** Exit code, once it has ended. */
  ended(): Promise<number | null>
}

/** The real command, as a process. */
function splitstreamTail(url: string, ...args: string[]): Tail {
  const tail = ['src/cli/bin.ts', 'tail', '--url', url, ...args]
  const child = spawn(node, tail, { cwd: root, env: { ...process.env, SPLITSTREAM_KEY: key, NO_COLOR: '1' } })
  tails.push(child)
  const lines: string[] = []
  let err = ''
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line))
  child.stderr!.setEncoding('utf8').on('data', (text) => (err += text))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return { lines, child, err: () => err, ended: () => ended }
}

const start = (dataDir: string, port: number, more = {}): Promise<RunningServer> =>
  startServer({ dataDir, port, env: { ...env, ...more } })

/** Sends a batch until it is acknowledged. */
async function send(url: string, ids: readonly string[]): Promise<void> {
  const body = ids
    .map((id) =>
      JSON.stringify({
        id,
        source: '/tail',
        type: 't',
        subject: `s${id.length % 3}-${id.at(-1)}`,
        time: '2026-01-01T00:00:00Z',
      }),
    )
    .join('\n')
  for (const until = performance.now() + 60_000; performance.now() < until; await delay(50)) {
    const answer = await fetch(`${url}/v1/events`, { method: 'POST', headers, body }).catch(() => undefined)
    await answer?.arrayBuffer().catch(() => undefined)
    if (answer?.status === 202) return
  }
  throw new Error('a batch was not acknowledged')
}

/** Once the stream says where it stands: what comes now is in it. */
async function untilFollowing(url: string): Promise<void> {
  await expect
    .poll(async () => (await (await fetch(`${url}/metrics`)).text()).match(/splitstream_query_streams (\d+)/)?.[1], {
      timeout: 20_000,
    })
    .not.toBe('0')
}

/** Events of a stream whose reader cuts the connection after a random number of them, and resumes. */
async function cutting(url: string, until: () => boolean, seen: string[]): Promise<void> {
  let id = 'p1-0.0'
  while (!until()) {
    const cut = new AbortController()
    let left = Math.floor(Math.random() * 60)
    try {
      const answer = await fetch(`${url}/v1/events/stream`, {
        headers: { ...headers, 'last-event-id': id },
        signal: cut.signal,
      })
      let rest = ''
      reading: for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
        rest += chunk
        for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
          const block = rest.slice(0, end)
          rest = rest.slice(end + 2)
          id = /^id: (.*)$/m.exec(block)?.[1] ?? id
          const data = /^data: (.*)$/m.exec(block)?.[1]
          if (data !== undefined) seen.push((JSON.parse(data) as { id: string }).id)
          if (left-- <= 0 || until()) break reading
        }
      }
    } catch {
      // The server is away just now.
    }
    cut.abort()
    await delay(5)
  }
}

describe('GET /v1/events/stream', () => {
  it('gives each event once, in order, though the server is killed and clients cut their connections', async () => {
    const dataDir = await newDataDir()
    const port = await freePort()
    let server = await start(dataDir, port)
    afterTest(() => server.stop())
    const tail = splitstreamTail(server.url, '--json', '--after', 'p1-0.0-1.0-2.0-3.0')
    await untilFollowing(server.url)
    const sent: string[] = []
    let over = false
    const seen: string[] = []
    const cut = cutting(server.url, () => over && seen.length >= sent.length, seen)
    const writing = (async () => {
      for (let n = 0; !over; n++) {
        const ids = Array.from({ length: 20 }, (_, i) => `${n}-${i}`)
        await send(server.url, ids)
        sent.push(...ids)
        await delay(20) // enough of them; all are read again and again
      }
    })()
    for (let kill = 0; kill < 3; kill++) {
      await delay(1_500)
      server.kill('SIGKILL')
      await server.exited
      server = await start(dataDir, port)
    }
    await delay(1_000)
    over = true
    await writing
    await cut
    await expect.poll(() => tail.lines.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(sent.length)
    // What comes late would be a double.
    await delay(1_000)
    const tailed = tail.lines.map((line) => (JSON.parse(line) as { id: string }).id)
    for (const each of [tailed, seen]) {
      expect(new Set(each)).toEqual(new Set(sent))
      expect(each).toHaveLength(sent.length)
    }
    const orderOf = (ids: readonly string[], subject: string): string[] =>
      ids.filter((id) => `s${id.length % 3}-${id.at(-1)}` === subject)
    expect(orderOf(tailed, 's0-7')).toEqual(orderOf(seen, 's0-7'))
    expect(sent.length).toBeGreaterThan(200)
    tail.child.kill('SIGINT')
    expect(await tail.ended()).toBe(0)
    expect(tail.err()).toContain('connected again; nothing was missed')
  }, 180_000)

  it('ends streams at a stop at once, says when to come back, and takes so many', async () => {
    const dataDir = await newDataDir()
    const server = await start(dataDir, await freePort(), { QUERY_MAX_STREAMS: '1' })
    afterTest(() => server.stop())
    const one = await fetch(`${server.url}/v1/events/stream`, { headers })
    expect(one.headers.get('content-type')).toBe('text/event-stream')
    const two = await fetch(`${server.url}/v1/events/stream`, { headers })
    expect([two.status, two.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await two.json()).toMatchObject({ code: 'OVERLOADED', detail: expect.stringContaining('QUERY_MAX_STREAMS') })
    const from = performance.now()
    server.kill('SIGTERM')
    expect((await one.text()).match(/^retry: \d+$/gm)).toHaveLength(2)
    // Not cut, which would come after 10 s.
    expect(performance.now() - from).toBeLessThan(8_000)
    await server.exited
  })

  it('waits for a client that does not read, and keeps no more than some pages for it', async () => {
    const server = await start(await newDataDir(), await freePort())
    afterTest(() => server.stop())
    const slow = await fetch(`${server.url}/v1/events/stream`, { headers })
    const pad = 'x'.repeat(4_000)
    const count = 10_000
    for (let n = 0; n < count; n += 1_000) {
      const lines = Array.from({ length: 1_000 }, (_, i) =>
        JSON.stringify({ id: `${n + i}`, source: '/slow', type: 't', data: { pad } }),
      )
      const stored = await fetch(`${server.url}/v1/events?wait=stored`, {
        method: 'POST',
        headers,
        body: lines.join('\n'),
      })
      expect(stored.status).toBe(200)
    }
    const streamed = async (): Promise<number> =>
      Number(
        (await (await fetch(`${server.url}/metrics`)).text()).match(/splitstream_query_streamed_total (\d+)/)?.[1] ?? 0,
      )
    await delay(1_000)
    // 40 MB are stored; what is on its way to the client are a page and the buffers of two sockets.
    expect(await streamed()).toBeLessThan(count / 2)
    const ids = new Set<string>()
    let n = 0
    for await (const data of (async function* () {
      let rest = ''
      for await (const chunk of slow.body!.pipeThrough(new TextDecoderStream())) {
        rest += chunk
        const blocks = rest.split('\n\n')
        rest = blocks.pop()!
        for (const block of blocks) if (block.includes('\ndata: ')) yield block
      }
    })()) {
      ids.add(/"id":"(\d+)"/.exec(data)![1]!)
      if (++n === count) break
    }
    expect(ids.size).toBe(count)
  }, 120_000)
})

describe('splitstream tail', () => {
  it('prints lines for people, with filters, and says what is wrong', async () => {
    const server = await start(await newDataDir(), await freePort())
    afterTest(() => server.stop())
    const tail = splitstreamTail(server.url, '--type', 'order', '--where', 'data.total>60', '--count', '1')
    await untilFollowing(server.url)
    const events = [
      { id: '1', source: '/shop', type: 'order', subject: 'c1', data: { total: 50 } },
      { id: '2', source: '/shop', type: 'refund', subject: 'c1', data: { total: 70 } },
      {
        id: '4',
        source: '/shop',
        type: 'order',
        subject: 'c2',
        time: '2026-01-01T00:00:00Z',
        data: { total: 80, note: '\u009b31m' },
      },
    ]
    await fetch(`${server.url}/v1/events?wait=stored`, {
      method: 'POST',
      headers,
      body: events.map((e) => JSON.stringify(e)).join('\n'),
    })
    expect(await tail.ended()).toBe(0)
    expect(tail.lines).toEqual(['2026-01-01T00:00:00Z  order  /shop  c2  {"total":80,"note":"\ufffd31m"}'])

    const wrongKey = splitstreamTail(server.url, '--key', 'nobody-has-this-key')
    expect(await wrongKey.ended()).toBe(1)
    expect(wrongKey.err()).toContain('UNAUTHENTICATED')
    const wrongWhere = splitstreamTail(server.url, '--where', 'total>60')
    expect(await wrongWhere.ended()).toBe(1)
    expect(wrongWhere.err()).toContain('where: a field is expected')
    const wrongUrl = splitstreamTail(`http://127.0.0.1:${await freePort()}`)
    expect(await wrongUrl.ended()).toBe(1)
    expect(wrongUrl.err()).toMatch(/nobody answers at .*ECONNREFUSED.*--url/)
  })
})
