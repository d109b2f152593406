import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type SharedEngines, startEngines } from '../support/fleet/engines.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { startToxicProxy, type Toxic, type ToxicProxy } from '../support/toxics/proxy.ts'

/* What users of one process see while the network to another one is bad. */

const adminKey = randomBytes(24).toString('hex')
const headers = { authorization: `Bearer ${adminKey}` }
const line = '{"id":"1","source":"/d","type":"t"}'
let home: string
let engines: SharedEngines
let store: RunningServer
let query: RunningServer
let proxy: ToxicProxy

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'splitstream-degradation-'))
  engines = await startEngines(home, { clickhouse: false })
  const common = {
    ADMIN_KEY: adminKey,
    INTERNAL_SECRET: randomBytes(24).toString('hex'),
    LOG_LEVEL: 'warn',
    POSTGRES_URL: engines.postgresUrl,
  }
  const start = (name: string, env: Record<string, string>) =>
    startServer({ dataDir: join(home, name), env: { ...common, ...env } })
  store = await start('store', { MODULES: 'ingest,storage' })
  proxy = await startToxicProxy({ target: store.url, seed: 5 })
  query = await start('query', { MODULES: 'query', LINK_STORAGE_READ: `http://127.0.0.1:${proxy.port}` })
  const body = { method: 'POST', headers: { ...headers, 'content-type': 'application/x-ndjson' }, body: line }
  expect((await fetch(`${store.url}/v1/events?wait=stored`, body)).status).toBe(200)
})

afterEach(async () => {
  proxy.heal()
  proxy.open()
  const well = async () => {
    const { status, headers } = await list('')
    return [status, headers.get('splitstream-degraded')]
  }
  await expect.poll(well, { timeout: 15_000 }).toEqual([200, null])
})

afterAll(async () => {
  await query?.stop()
  await proxy?.stop()
  await store?.stop()
  await engines?.stop()
  await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
})

const list = (parameters: string): Promise<Response> => fetch(`${query.url}/v1/events?${parameters}`, { headers })
const isOpen = async (): Promise<boolean> =>
  (await (await fetch(`${query.url}/metrics`)).text()).includes(
    'splitstream_dependency_breakers_open{splitstream_dependency="link storage.read"} 1',
  )

/** Asks new questions until the breaker is open. Those that get no answer are left. */
async function untilOpen(): Promise<void> {
  const leave = new AbortController()
  const asked: Promise<unknown>[] = []
  const deadline = performance.now() + 20_000
  while (!(await isOpen())) {
    if (performance.now() > deadline) throw new Error('the breaker does not open')
    const url = `${query.url}/v1/events?subject=${Math.random()}`
    asked.push(fetch(url, { headers, signal: leave.signal }).catch(() => undefined))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  leave.abort()
  await Promise.all(asked)
}

const both = (toxic: Toxic): void => {
  proxy.set('up', toxic)
  proxy.set('down', toxic)
}

const ills: [string, () => void][] = [
  ['resets all connections', () => proxy.shut()],
  ['is 1.5 s long', () => both({ kind: 'latency', ms: 1_500 })],
  ['lets nothing through', () => both({ kind: 'timeout', ms: 0 })],
  ['breaks each answer off', () => proxy.set('down', { kind: 'limit', bytes: 40 })],
]

describe('while the way to storage', () => {
  it.each(ills)('%s, answers are stale or 503, and all is well afterwards', async (_, ill) => {
    const fresh = await (await list('type=t')).text()
    ill()
    await untilOpen()
    const stale = await list('type=t')
    expect([stale.status, stale.headers.get('splitstream-degraded')]).toEqual([
      200,
      expect.stringMatching(/^stale; reason="storage.read/),
    ])
    expect(await stale.text()).toBe(fresh)
    const refused = await list('type=nobody-asked-before')
    expect([refused.status, Number(refused.headers.get('retry-after')) <= 2]).toEqual([503, true])
    expect(await refused.json()).toMatchObject({ code: 'UNAVAILABLE' })
    expect((await fetch(`${query.url}/health/ready`)).status).toBe(200)
  })
})

it('refusals by storage open no breaker', async () => {
  const body = JSON.stringify({ measures: [{ fn: 'count', as: 'n' }], orderBy: [{ by: 'nothing' }] })
  const init = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body }
  for (let i = 0; i < 30; i++) expect((await fetch(`${query.url}/v1/query`, init)).status).toBe(400)
  expect(await isOpen()).toBe(false)
  expect((await list('')).status).toBe(200)
})
