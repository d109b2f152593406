import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { serverProcesses, signal } from '../chaos/processes.ts'
import { type OtlpReceiver, startReceiver } from '../support/otlp/receiver.ts'
import { freePort, type RunningServer, type ServerOptions, startServer } from '../support/server.ts'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function start(env: Record<string, string>, more: ServerOptions = {}): Promise<RunningServer> {
  const server = await startServer({ ...more, env: { STORAGE_LINGER_MS: '0', LOG_LEVEL: 'debug', ...env } })
  ends.push(() => server.stop())
  return server
}

async function receive(port?: number): Promise<OtlpReceiver> {
  const receiver = await startReceiver(port)
  ends.push(() => receiver.stop())
  return receiver
}

const parent = (flags: string): string =>
  `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-${flags}`

async function list(server: RunningServer, traceparent?: string, key = server.adminKey): Promise<number> {
  const headers = { authorization: `Bearer ${key}`, ...(traceparent !== undefined && { traceparent }) }
  const response = await fetch(`${server.url}/v1/events`, { headers })
  await response.arrayBuffer()
  return response.status
}

describe('without a collector', () => {
  it('nothing of OpenTelemetry is loaded, and what clients say of traces is taken as it is', async () => {
    const tell = `import { registerHooks } from 'node:module'; registerHooks({ resolve(specifier, context, next) {
      const found = next(specifier, context)
      if (found.url.includes('@opentelemetry')) process.stderr.write('LOADED ' + found.url + '\\n')
      return found } })`
    const watched = `--import=data:text/javascript,${encodeURIComponent(tell)}`
    const server = await start({ NODE_OPTIONS: watched })
    expect(await list(server, parent('01'))).toBe(200)
    await server.stop()
    expect(server.output()).not.toContain('LOADED')
    const receiver = await receive()
    const other = await start({ NODE_OPTIONS: watched, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })
    expect(other.output()).toContain('LOADED')
  })
})

describe('a collector', () => {
  it('is told who speaks, and gets every metric that /metrics shows', async () => {
    const receiver = await receive()
    const server = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-key=a%20b,x-other=c',
      OTEL_SERVICE_NAME: 'events-eu',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      OTEL_METRIC_EXPORT_INTERVAL: '1000',
      MODULES: 'all',
    })
    await list(server)
    await vi.waitFor(() => expect(receiver.points.length).toBeGreaterThan(0), 10_000)
    const text = await (await fetch(`${server.url}/metrics`)).text()
    await server.stop()
    expect(receiver.problems).toEqual([])
    expect(receiver.headers[0]).toMatchObject({ 'x-key': 'a b', 'x-other': 'c' })
    expect(receiver.points[0]!.resource).toEqual({
      'service.name': 'events-eu',
      'service.version': expect.any(String),
      'service.instance.id': expect.any(String),
      'splitstream.modules': 'ingest,storage,query,sagas',
      'deployment.environment.name': 'test',
    })
    const shown = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!)
    const withValue = shown.filter((name) => new RegExp(`^${name}(_count)?[ {]`, 'm').test(text))
    const suffix = { s: '_seconds', By: '_bytes' } as Record<string, string>
    const sent = receiver.points.map(({ name, unit, kind }) => {
      const base = name.replaceAll('.', '_') + (unit === '1' && kind === 'gauge' ? '_ratio' : (suffix[unit] ?? ''))
      return kind === 'sum' ? `${base}_total` : base
    })
    expect(withValue.filter((name) => !sent.includes(name))).toEqual([])
  })

  it('gets what clients trace, and a part of the rest; nothing of strangers, and nothing of probes', async () => {
    const receiver = await receive()
    const server = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_TRACES_SAMPLER_ARG: '0' })
    const traced = parent('01')
    expect(await list(server, traced)).toBe(200)
    expect(await list(server, parent('03'))).toBe(200)
    expect(await list(server)).toBe(200)
    expect(await list(server, parent('00'))).toBe(200)
    expect(await list(server, parent('01'), 'ss_of_nobody')).toBe(401)
    await fetch(`${server.url}/health/ready`, { headers: { traceparent: parent('01') } })
    await server.stop()
    const requests = receiver.spans.filter(({ kind }) => kind === 'server')
    expect(requests).toHaveLength(2)
    expect(requests[0]).toMatchObject({ traceId: traced.slice(3, 35), parentId: traced.slice(36, 52) })
    const half = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_TRACES_SAMPLER_ARG: '0.5' })
    for (let i = 0; i < 200; i++) await list(half)
    await half.stop()
    const part = receiver.spans.filter(({ kind }) => kind === 'server').length - 2
    expect(part).toBeGreaterThan(50)
    expect(part).toBeLessThan(150)
    expect(receiver.problems).toEqual([])
  })

  it('that is away costs a warning, and is told the rest when it is back', async () => {
    const port = await freePort()
    const server = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_TRACES_SAMPLER_ARG: '1',
      OTEL_METRIC_EXPORT_INTERVAL: '1000',
    })
    const warnings = (): number => server.output().split('the collector takes no telemetry').length - 1
    for (let i = 0; i < 50; i++) expect(await list(server)).toBe(200)
    const collector = async () => {
      const health = (await (await fetch(`${server.url}/health`)).json()) as { dependencies: Record<string, object> }
      return health.dependencies.collector
    }
    await vi.waitFor(() => expect(warnings()).toBe(1), 20_000)
    const away = { state: 'down', reason: expect.stringContaining('The collector does not answer') }
    await vi.waitFor(async () => expect(await collector()).toMatchObject(away), 20_000)
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200)
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    expect(warnings()).toBe(1)
    const receiver = await receive(port)
    await list(server)
    await vi.waitFor(() => expect(server.output()).toContain('the collector takes telemetry again'), 20_000)
    const back = { calls: expect.any(Number), p99Ms: expect.any(Number) }
    await vi.waitFor(async () => expect(await collector()).not.toMatchObject(away), 20_000)
    expect(await collector()).toMatchObject(back)
    await server.stop()
    expect(receiver.spans.length).toBeGreaterThan(0)
  })

  it('that hangs does not hold up a stop for long', async () => {
    const hole = createServer(() => undefined)
    await new Promise<void>((resolve) => hole.listen(0, '127.0.0.1', resolve))
    ends.push(async () => hole.close())
    const { port } = hole.address() as { port: number }
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_TRACES_SAMPLER_ARG: '1' }
    const plain = await start({})
    const from = performance.now()
    await plain.stop()
    const usual = performance.now() - from
    const server = await start(env)
    await list(server)
    const then = performance.now()
    expect(await server.stop()).toBe(0)
    expect(performance.now() - then).toBeLessThan(usual + 6_000)
  })
})

it('a log line about a request has its trace, tenant and code', async () => {
  const receiver = await receive()
  const server = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })
  const traceparent = parent('01')
  signal(serverProcesses(server.dataDir).clickhouse!.pid, 'SIGKILL')
  expect(await list(server, traceparent)).toBe(503)
  await server.stop()
  const line = server
    .output()
    .split('\n')
    .find((text) => text.includes('a request was not served'))
  const about = { traceId: traceparent.slice(3, 35), tenant: 'default', code: 'UNAVAILABLE', route: '/v1/events' }
  expect(JSON.parse(line!)).toMatchObject({ ...about, cause: expect.stringMatching(/^ECONN/) as string })
  const [request] = receiver.spans.filter(({ kind }) => kind === 'server')
  expect(request).toMatchObject({ failed: true, attributes: { 'error.type': 'UNAVAILABLE' } })
})
