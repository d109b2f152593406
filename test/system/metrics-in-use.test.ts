import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { orderSaga, type StubParticipants, startStubParticipants } from '@splitstream/sagas/kit/demo'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ask } from '../../src/cli/api.ts'
import { Authority } from '../../src/transports/http/tls/authority.fixture.ts'
import { Mounted } from '../../src/transports/http/tls/mounted.fixture.ts'
import { type RunningServer, startServer } from '../support/server.ts'

/** What deploy/ asks Prometheus for is what a process tells: names of metrics and of their labels. */
const root = fileURLToPath(new URL('../../', import.meta.url))
const adminKey = 'metrics-in-use-test-key-metrics-in-use'

/** Added by Prometheus, or told by others: the gateway's are checked by test/deploy. */
const elsewhere = /^(up|ALERTS|haproxy_\w+)$/
const addedLabels = new Set(['job', 'instance', 'module', 'le', 'alertname', 'alertstate', 'proxy'])
const words = new Set(['by', 'without', 'and', 'or', 'unless', 'offset', 'on', 'ignoring', 'bool'])

let server: RunningServer
let stubs: StubParticipants
let certificates: Mounted
/** Of each metric, the names of its labels. */
let told: Map<string, Set<string>>

beforeAll(async () => {
  stubs = await startStubParticipants()
  certificates = await mountCertificates()
  const { cert, key, ca } = certificates.files
  // What is told of them is told of a process that has some.
  const tls = { INTERNAL_TLS_CERT: cert, INTERNAL_TLS_KEY: key, INTERNAL_TLS_CA: ca, INTERNAL_PORT: '0' }
  const env = { ADMIN_KEY: adminKey, LOG_LEVEL: 'warn', SAGA_ALLOW_PRIVATE: '127.0.0.1' }
  server = await startServer({ env: { ...env, ...tls } })
  const connection = { url: server.url, key: adminKey }
  // A series begins with the first thing that it counts.
  await ask(connection, 'POST', '/v1/events?wait=stored', [{ id: '1', source: '/m', type: 't' }])
  await ask(connection, 'GET', '/v1/events')
  await ask(connection, 'PUT', '/v1/saga-definitions/order', orderSaga(stubs))
  const input = { orderId: 'o1', amount: 10, quantity: 1, country: 'BE' }
  await ask(connection, 'POST', '/v1/sagas/order?wait=20', input, { 'idempotency-key': 'metrics' })
  told = read(await (await fetch(`${server.url}/metrics`)).text())
})

afterAll(async () => {
  await server?.stop()
  await stubs?.close()
  await certificates?.close()
})

it.each(expressions())('$place: $expr', ({ expr }) => {
  const { metrics, labels } = namesIn(expr)
  expect(metrics.length).toBeGreaterThan(0)
  const wrong = metrics.filter(({ name, labels: used }) => {
    const known = told.get(name)
    // Counters without a point yet have a name and no labels.
    return !elsewhere.test(name) && (!known || (known.size > 0 && used.some((label) => !known.has(label))))
  })
  expect(wrong, 'not told by the process').toEqual([])
  const all = new Set([...told.values()].flatMap((names) => [...names]))
  expect(labels.filter((label) => !all.has(label) && !addedLabels.has(label))).toEqual([])
})

async function mountCertificates(): Promise<Mounted> {
  const [authority, mounted] = await Promise.all([Authority.create('metrics'), Mounted.create()])
  await mounted.become(await authority.issue({ names: ['IP:127.0.0.1'] }), authority.ca)
  await authority.close()
  return mounted
}

function read(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  for (const [, name, kind] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
    const names = kind === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name!]
    for (const each of names) found.set(each, new Set())
  }
  for (const [, name, labels] of text.matchAll(/^(\w+)\{(.*)\} \S+$/gm)) {
    for (const [, label] of labels!.matchAll(/(\w+)="/g)) found.get(name!)?.add(label!)
  }
  return found
}

function expressions(): { place: string; expr: string }[] {
  const alerts = readFileSync(`${root}deploy/prometheus/alerts.yml`, 'utf8')
    .split(/^ +- alert: /m)
    .slice(1)
    .map((part) => ({
      place: part.split('\n', 1)[0]!,
      expr: /expr: (?:\|\n)?([\s\S]*?)\n +(?:for|labels):/.exec(part)?.[1]?.replaceAll(/\s+/g, ' ') ?? '',
    }))
  const panels = globSync('deploy/grafana/dashboards/*.json', { cwd: root }).flatMap((place) => {
    const { panels } = JSON.parse(readFileSync(root + place, 'utf8')) as {
      panels: { targets?: { expr: string }[] }[]
    }
    return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => ({ place, expr })))
  })
  return [...alerts, ...panels]
}

/** Selectors and groupings are taken out first; what then stands alone and is no function is a metric. */
function namesIn(expr: string): { metrics: { name: string; labels: string[] }[]; labels: string[] } {
  const labels: string[] = []
  const grouped = expr.replaceAll(/\b(?:by|without|on|ignoring) \(([^)]*)\)/g, (_, names: string) => {
    labels.push(...names.split(',').map((name) => name.trim()))
    return ' '
  })
  const bare = grouped.replaceAll(/\[[^\]]*\]/g, ' ').replaceAll(/\boffset \w+/g, ' ')
  const metrics = [...bare.matchAll(/([a-zA-Z_]\w*)(?:\{((?:[^}"]|"[^"]*")*)\})?(?!\w|\s*\()/g)]
    .filter(([whole, name]) => !words.has(name!) && (whole.includes('{') || name === 'ALERTS' || name!.includes('_')))
    .map(([, name, selector = '']) => ({
      name: name!,
      labels: [...selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)]
        .map(([, l]) => l!)
        .filter((l) => !addedLabels.has(l)),
    }))
  return { metrics, labels: labels.filter((label) => label !== '') }
}
