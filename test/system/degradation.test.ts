import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from '../../src/engines/clickhouse/embedded.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { startToxicProxy, type Toxic, type ToxicProxy } from '../support/toxics/proxy.ts'

/* What users see while ClickHouse is away or sick: a real one, behind a network that gets bad. */

const adminKey = 'degradation-test-key-degradation-test-key'
const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/x-ndjson' }
let home: string
let engine: EmbeddedClickHouse
let proxy: ToxicProxy
let server: RunningServer
let sent = 0

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'splitstream-degradation-'))
  engine = await startEmbeddedClickHouse({ dataDir: join(home, 'clickhouse') })
  proxy = await startToxicProxy({ target: engine.url, seed: 3 })
  const env = {
    ADMIN_KEY: adminKey,
    LOG_LEVEL: 'warn',
    CLICKHOUSE_URL: `http://${engine.username}:${engine.password}@127.0.0.1:${proxy.port}/splitstream`,
  }
  server = await startServer({ dataDir: join(home, 'data'), env })
})

afterEach(async () => {
  proxy.heal()
  proxy.open()
  await expect.poll(async () => (await list('')).headers.get('splitstream-degraded'), { timeout: 15_000 }).toBe(null)
  await expect.poll(() => stored(sent), { timeout: 30_000 }).toBe(true)
})

afterAll(async () => {
  await server?.stop()
  await proxy?.stop()
  await engine?.stop()
  await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
})

const list = (query: string): Promise<Response> => fetch(`${server.url}/v1/events?${query}`, { headers })

const aggregate = (body: object): Promise<Response> =>
  fetch(`${server.url}/v1/query`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

const count = { measures: [{ fn: 'count', as: 'n' }] }

async function stored(n: number): Promise<boolean> {
  const response = await aggregate(count)
  if (response.status !== 200 || response.headers.has('splitstream-degraded')) return false
  return ((await response.json()) as { rows: { n: number }[] }).rows[0]!.n === n
}

async function send(n: number, wait = false): Promise<string> {
  const lines = Array.from({ length: n }, () => JSON.stringify({ id: `${++sent}`, source: '/d', type: 't' }))
  const url = `${server.url}/v1/events${wait ? '?wait=stored' : ''}`
  const response = await fetch(url, { method: 'POST', headers, body: lines.join('\n') })
  expect(response.status).toBe(wait ? 200 : 202)
  return ((await response.json()) as { position: string }).position
}

/** Asks a new question until the breaker is open; what was answered meanwhile. */
async function untilOpen(): Promise<Response[]> {
  const answers: Response[] = []
  const deadline = performance.now() + 20_000
  while (
    !(await metrics()).includes('splitstream_dependency_breakers_open{splitstream_dependency="clickhouse read"} 1')
  ) {
    if (performance.now() > deadline) throw new Error('the breaker does not open')
    answers.push(...(await Promise.all(Array.from({ length: 5 }, () => list(`subject=${Math.random()}`)))))
  }
  return answers
}

const metrics = async (): Promise<string> => (await fetch(`${server.url}/metrics`)).text()

const ills: [string, () => void][] = [
  ['resets all connections', () => proxy.shut()],
  ['is 1.5 s away', () => both({ kind: 'latency', ms: 1_500 })],
  ['answers nothing', () => both({ kind: 'timeout', ms: 0 })],
  ['closes each connection after a while without an answer', () => both({ kind: 'timeout', ms: 300 })],
  ['breaks each answer off', () => proxy.set('down', { kind: 'limit', bytes: 40 })],
  ['drips', () => proxy.set('down', { kind: 'slicer', bytes: 1, delayMs: 100 })],
]

const both = (toxic: Toxic): void => {
  proxy.set('up', toxic)
  proxy.set('down', toxic)
}

describe('while ClickHouse', () => {
  it.each(ills)('%s, ingest goes on, answers are stale or 503, and all is well afterwards', async (_, ill) => {
    await send(10, true)
    const fresh = await (await list('type=t&limit=5')).text()
    ill()
    await untilOpen()
    await send(10)

    const stale = await list('type=t&limit=5')
    expect(stale.status).toBe(200)
    expect(stale.headers.get('splitstream-degraded')).toMatch(/^stale; reason="ClickHouse/)
    expect(Number(stale.headers.get('age'))).toBeLessThan(60)
    expect(await stale.text()).toBe(fresh)

    const from = performance.now()
    const refused = await list('type=nobody-asked-before')
    expect(refused.status).toBe(503)
    // When the breaker tries next: it is open for 2 s at most, and a try takes a second.
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(2)
    expect(await refused.json()).toMatchObject({ code: 'UNAVAILABLE', detail: expect.stringMatching(/^ClickHouse/) })
    expect(performance.now() - from).toBeLessThan(2_500)
  })

  it('is away, an answer that does not cover the wanted position is none', async () => {
    await send(10, true)
    const { position } = (await (await list('limit=7')).json()) as { position: string }
    proxy.shut()
    await untilOpen()
    const covered = await list(`limit=7&after=${position}`)
    expect([covered.status, covered.headers.get('splitstream-degraded')]).toEqual([
      200,
      expect.stringMatching(/^stale/),
    ])
    const later = await send(1)
    const controller = new AbortController()
    const answer = fetch(`${server.url}/v1/events?limit=7&after=${later}`, { headers, signal: controller.signal })
    const first = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 1_500, 'waits'))])
    expect(first).toBe('waits')
    controller.abort()
    await answer.catch(() => undefined)
  })
})

describe('what opens no breaker', () => {
  it('questions that are refused, or too costly', async () => {
    for (let i = 0; i < 30; i++) expect((await list('limit=0')).status).toBe(400)
    const unknown = { measures: [{ fn: 'avg', field: 'data.x', as: 'm' }], orderBy: [{ by: 'nothing' }] }
    for (let i = 0; i < 30; i++) expect((await aggregate(unknown)).status).toBe(400)
    expect((await list('')).status).toBe(200)
  })

  it('clients that leave', async () => {
    proxy.set('down', { kind: 'latency', ms: 200 })
    await Promise.all(
      Array.from({ length: 40 }, () =>
        fetch(`${server.url}/v1/events?limit=3`, { headers, signal: AbortSignal.timeout(50) }).catch(() => undefined),
      ),
    )
    const one = await list('limit=3')
    expect([one.status, one.headers.get('splitstream-degraded')]).toEqual([200, null])
  })
})
