import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { isReady } from '../../src/cli/server-process.ts'
import { serverProcesses } from '../chaos/processes.ts'
import { freePort, type RunningServer, startServer } from '../support/server.ts'

const node = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url))
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const adminKey = 'operations-test-key-operations-test-key'
const inFlight = 256 * 1024
const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/x-ndjson' }
const env = { ADMIN_KEY: adminKey, LOG_LEVEL: 'warn' }
let root: string
let server: RunningServer
const cleanups: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'splitstream-ops-'))
  await mkdir(join(root, 'main'), { mode: 0o755 })
  await chmod(join(root, 'main'), 0o755)
  server = await startServer({ dataDir: join(root, 'main'), env: { ...env, MAX_IN_FLIGHT_BYTES: `${inFlight}` } })
})

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

afterAll(async () => {
  await server?.stop()
  await rm(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
})

const line = (id: string, source = '/o', pad = 0): string =>
  `{"id":"${id}","source":"${source}","type":"t","time":"2026-01-01T00:00:00Z","data":{"pad":"${'x'.repeat(pad)}"}}`

async function send(url: string, body: string, wait = true): Promise<Response> {
  return await fetch(`${url}/v1/events${wait ? '?wait=stored' : ''}`, { method: 'POST', headers, body })
}

async function ids(url: string, source: string): Promise<string[]> {
  const response = await fetch(`${url}/v1/events?source=${source}&limit=1000`, { headers })
  return ((await response.json()) as { events: { id: string }[] }).events.map((event) => event.id).sort()
}

/** Runs the main file with nothing but these settings, in a folder of its own, until it exits. */
async function launch(settings: Record<string, string>, cwd = root): Promise<{ code: number | null; output: string }> {
  const child = spawn(node, [main], { cwd, env: { PATH: '/usr/bin:/bin', HOME: cwd, ...settings } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const timer = globalThis.setTimeout(() => child.kill('SIGKILL'), 40_000)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return { code, output }
}

/** Name and labels → value; throws at a line that is not Prometheus text. */
async function metrics(url: string): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`)
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  const series = new Map<string, number>()
  const text = await response.text()
  expect(text.endsWith('\n')).toBe(true)
  for (const one of text.split('\n').filter((each) => each !== '')) {
    if (/^# (HELP [a-zA-Z_:][\w:]* .*|TYPE [a-zA-Z_:][\w:]* (counter|gauge|histogram|summary|untyped))$/.test(one))
      continue
    const parsed =
      /^([a-zA-Z_:][\w:]*(?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})?) (NaN|[+-]?Inf|[-+0-9.eE]+)$/.exec(one)
    if (!parsed) throw new Error(`not Prometheus text: ${one}`)
    expect(series.has(parsed[1]!), `${parsed[1]} twice`).toBe(false)
    series.set(parsed[1]!, Number(parsed[2]))
  }
  return series
}

describe('health', () => {
  it('is live and ready, without a key, and never cached', async () => {
    for (const [path, status] of [
      ['/health/live', 'live'],
      ['/health/ready', 'ready'],
      ['/health', 'ok'],
    ]) {
      const response = await fetch(`${server.url}${path}`)
      expect([path, response.status, response.headers.get('cache-control')]).toEqual([path, 200, 'no-store'])
      expect(await response.json()).toMatchObject({ status })
    }
  })

  it('names the parts', async () => {
    const { parts } = (await (await fetch(`${server.url}/health`)).json()) as { parts: Record<string, unknown> }
    const ok = { state: 'ok' }
    expect(parts).toEqual({
      ...{ process: ok, log: ok, clickhouse: ok, postgres: ok, 'postgres pools': ok, keys: ok },
      ...{ ingest: ok, storage: ok, query: ok, sagas: ok },
    })
  })
})

describe('health of dependencies', () => {
  it('has state, calls, part of errors, p50, p99 and lag of each, over the last while', async () => {
    await send(server.url, line('d1', '/d'))
    await ids(server.url, '/d')
    type View = { dependencies: Record<string, Record<string, unknown>> }
    const { dependencies } = (await (await fetch(`${server.url}/health`)).json()) as View
    const figures = { state: 'ok', errorRate: 0, calls: expect.any(Number), p50Ms: expect.any(Number) }
    for (const name of ['clickhouse read', 'clickhouse insert', 'postgres storage', 'postgres edge', 'log append']) {
      expect(dependencies[name], name).toMatchObject({ ...figures, p99Ms: expect.any(Number) })
      expect(Number(dependencies[name]!.calls), name).toBeGreaterThan(0)
    }
    await vi.waitFor(async () => {
      const again = (await (await fetch(`${server.url}/health`)).json()) as View
      expect(again.dependencies['log append']!.lag).toEqual({ storage: 0, sagas: 0 })
    }, 15_000)
  })
})

describe('metrics', () => {
  it('are Prometheus text whose counters move with what happens', async () => {
    const before = await metrics(server.url)
    const response = await send(server.url, [line('m1', '/m'), line('m2', '/m'), '{"id":"bad"}'].join('\n'))
    expect(await response.json()).toMatchObject({ accepted: 2, rejected: 1 })
    await send(server.url, line('m1', '/m'))
    await ids(server.url, '/m')
    const after = await metrics(server.url)
    const moved = (start: string, ...labels: string[]): number =>
      [...after].reduce((sum, [name, value]) => {
        const counts = name.startsWith(start) && labels.every((label) => name.includes(label))
        return counts ? sum + value - (before.get(name) ?? 0) : sum
      }, 0)
    expect(moved('splitstream_ingest_events_total{', 'accepted')).toBe(3)
    expect(moved('splitstream_ingest_events_total{', 'rejected')).toBe(1)
    expect(moved('splitstream_storage_events_total{', 'outcome="stored"')).toBe(2)
    expect(moved('splitstream_storage_events_total{', 'outcome="duplicate"')).toBe(1)
    const requests = (method: string, status: number): number =>
      moved(
        'http_server_request_duration_seconds_count{',
        'http_route="/v1/events"',
        `http_request_method="${method}"`,
        `http_response_status_code="${status}"`,
      )
    expect([requests('POST', 200), requests('GET', 200)]).toEqual([2, 1])
    expect(moved('splitstream_query_seconds_count')).toBe(1)
    expect(after.get('splitstream_log_lag_events{messaging_consumer_group_name="storage"}')).toBe(0)
    expect([...after.keys()].join()).not.toMatch(/default|operations-test/) // neither tenants nor keys
  })
})

describe('overload', () => {
  it('is 503 with Retry-After; what was acknowledged is there, and what was refused is not', async () => {
    const bodies = Array.from({ length: 60 }, (_, i) => ({ id: `o${i}`, body: line(`o${i}`, '/over', 100_000) }))
    const answers = await Promise.all(
      bodies.map(async ({ id, body }) => {
        const response = await send(server.url, body, false)
        return { id, response, json: (await response.json()) as { code?: string } }
      }),
    )
    const refused = answers.filter(({ response }) => response.status === 503)
    const accepted = answers.filter(({ response }) => response.status === 202)
    expect(refused.length + accepted.length).toBe(bodies.length)
    expect(refused.length).toBeGreaterThan(0)
    expect(accepted.length).toBeGreaterThan(0)
    for (const { response, json } of refused) {
      expect(json.code).toBe('OVERLOADED')
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    }
    expect((await send(server.url, line('end', '/over'))).status).toBe(200)
    expect(await ids(server.url, '/over')).toEqual([...accepted.map(({ id }) => id), 'end'].sort())
    expect((await metrics(server.url)).get('splitstream_http_in_flight_bytes')).toBe(0)
  })
})

describe('the start', () => {
  it('makes the data directory private', async () => {
    expect((await stat(server.dataDir)).mode & 0o777).toBe(0o700)
  })

  it.each([
    [{ LINK_EVENT: 'local' }, ['LINK_EVENT', 'no such setting', 'LINK_EVENTS']],
    [{ LINK_EVENTS: 'kafkaesque' }, ['LINK_EVENTS', '"kafkaesque"', 'local']],
    [{ PORT: '99999' }, ['PORT', '"99999"', '65535']],
    [{ PORT: 'http' }, ['PORT', '"http"', 'number']],
    [{ MODULES: 'ingest,nonsense' }, ['MODULES', 'nonsense', 'ingest', 'storage', 'query']],
    [{ LOG_LEVEL: 'loud', LOG_PARTITIONS: '0' }, ['LOG_LEVEL', '"loud"', 'debug', 'LOG_PARTITIONS', '"0"', '1']],
  ])('stops with 2 at %j', async (bad, said) => {
    const { code, output } = await launch({ DATA_DIR: join(root, 'unused'), ...bad })
    expect(code).toBe(2)
    for (const text of said) expect(output).toContain(text)
    expect(output).not.toMatch(/^\s+at .*\.ts:\d+/m) // a message for people, no stack
    await expect(stat(join(root, 'unused'))).rejects.toThrow('ENOENT')
  })

  it('never repeats a secret that is wrong', async () => {
    const { code, output } = await launch({ DATA_DIR: join(root, 'unused'), ADMIN_KEY: 'too-short-secret' })
    expect([code, output.includes('ADMIN_KEY'), output.includes('too-short-secret')]).toEqual([2, true, false])
  })

  it('reads .env, which the environment overrules, and refuses what it does not know in it', async () => {
    const cwd = join(root, 'env')
    await mkdir(cwd)
    await writeFile(join(cwd, '.env'), 'PORT=70000\nLOG_LEVEL="info" # a comment\n')
    const read = await launch({}, cwd)
    expect([read.code, read.output]).toEqual([2, expect.stringContaining('PORT: found "70000"')])
    const overruled = await launch({ PORT: '71000' }, cwd)
    expect(overruled.output).toContain('PORT: found "71000"')
    await writeFile(join(cwd, '.env'), 'PROT=8080\n')
    const unknown = await launch({}, cwd)
    expect([unknown.code, unknown.output]).toEqual([2, expect.stringMatching(/PROT: there is no such setting.*PORT/)])
  })

  it('refuses a data directory that is in use, and leaves its owner alone', async () => {
    const { code, output } = await launch({ ...env, DATA_DIR: server.dataDir, PORT: '0' })
    expect(code).toBe(2)
    expect(output).toContain('another Splitstream process')
    expect(output).toContain('DATA_DIR')
    expect(output.trim().split('\n')).toHaveLength(1) // nothing was started that would have its own say
    expect((await send(server.url, line('owner', '/owner'))).status).toBe(200)
    expect(await ids(server.url, '/owner')).toEqual(['owner'])
    expect(await isReady(server.url)).toBe(true)
  })
})

describe('stopping and starting again', () => {
  it('starts and stops with the default settings, in the folder where it is called', async () => {
    const cwd = join(root, 'defaults')
    await mkdir(cwd)
    const child = spawn(node, [main], { cwd, env: { PATH: '/usr/bin:/bin', PORT: '0' } })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    const closed = once(child, 'close')
    await vi.waitFor(() => expect(output).toContain('Splitstream listens at'), 30_000)
    child.kill('SIGTERM')
    expect(await closed).toEqual([0, null])
    expect(output).toContain('API key')
    expect((await stat(join(cwd, 'data'))).isDirectory()).toBe(true)
  })

  it.each([100, 700])('SIGTERM %i ms after the start exits 0 and leaves no process behind', async (afterMs) => {
    const dataDir = join(root, `early-${afterMs}`)
    const child = spawn(node, [main], { env: { PATH: '/usr/bin:/bin', ...env, DATA_DIR: dataDir, PORT: '0' } })
    await once(child, 'spawn')
    // Not before it can hear it: the data folder is made after the handler is set.
    while (!(await stat(dataDir).catch(() => undefined))) await setTimeout(5)
    await setTimeout(afterMs)
    child.kill('SIGTERM')
    expect(await once(child, 'close')).toEqual([0, null])
    const left = serverProcesses(dataDir).all.filter((p) => p.cwd.startsWith(dataDir) || p.command.includes(dataDir))
    expect(left).toEqual([])
  })

  it('SIGTERM lets requests under way end with 2xx, exits 0, and the next start has it all', async () => {
    const dataDir = join(root, 'drain')
    const first = await startServer({ dataDir, env })
    cleanups.push(() => first.stop())
    const body = Buffer.from(line('slow', '/drain', 50_000))
    const slow = request(`${first.url}/v1/events`, {
      method: 'POST',
      headers: { ...headers, 'content-length': body.length },
    })
    const answer = once(slow, 'response')
    slow.write(body.subarray(0, 20_000))
    const waiting = Array.from({ length: 5 }, (_, i) => send(first.url, line(`w${i}`, '/drain')))
    await setTimeout(500)
    first.kill('SIGTERM')
    await setTimeout(300)
    await expect(fetch(`${first.url}/health/live`)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    slow.end(body.subarray(20_000))
    const [response] = (await answer) as [{ statusCode: number; resume(): void }]
    response.resume()
    expect(response.statusCode).toBe(202)
    for (const one of await Promise.all(waiting)) expect([200, 202]).toContain(one.status)
    expect(await first.exited).toEqual({ code: 0, signal: null })

    const port = await freePort()
    const from = performance.now()
    const starting = startServer({ dataDir, port, env })
    const seen = new Set<number>()
    while (!seen.has(200) && performance.now() - from < 30_000) {
      const ready = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined)
      if (ready) seen.add(ready.status)
      if (ready?.status === 503) expect(ready.headers.get('retry-after')).toBe('1')
      await ready?.arrayBuffer()
      await setTimeout(10)
    }
    const took = Math.round(performance.now() - from)
    const second = await starting
    cleanups.push(() => second.stop())
    process.stderr.write(`second start: ready after ${took} ms (wanted: 3,000); statuses seen: ${[...seen]}\n`)
    expect(took).toBeLessThan(10_000)
    expect([...seen].every((status) => status === 503 || status === 200)).toBe(true)
    expect((await send(second.url, line('again', '/drain'))).status).toBe(200)
    expect(await ids(second.url, '/drain')).toEqual(['again', 'slow', 'w0', 'w1', 'w2', 'w3', 'w4'])
  })
})
