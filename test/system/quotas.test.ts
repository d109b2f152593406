import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'

const adminKey = 'quotas-test-admin-key-quotas-test-admin-key'
let server: RunningServer

beforeAll(async () => {
  const env = { ADMIN_KEY: adminKey, LOG_LEVEL: 'warn', QUOTA_TENANT_BYTES: '20000', QUOTA_KEY_REQUESTS: '1000' }
  server = await startServer({ env })
})
afterAll(() => server?.stop())

async function api(method: string, path: string, key: string, body?: unknown) {
  const headers = { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': 'application/json' }) }
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers,
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return {
    status: response.status,
    headers: response.headers,
    json: (await response.json()) as Record<string, unknown>,
  }
}
const make = async (tenant: string, quota?: object) => {
  const made = await api('POST', '/v1/keys', adminKey, {
    name: 'k',
    tenant,
    scopes: ['ingest', 'query', 'admin'],
    quota,
  })
  expect(made.status).toBe(201)
  return made.json as { id: string; key: string; quota: unknown }
}
let ids = 0
const event = (fill = '') => ({ id: `${++ids}`, source: '/q', type: 't', data: { fill } })

describe('a key with a quota', () => {
  it('is shown with it, and may use so much', async () => {
    const { id, key, quota } = await make('shown', { requestsPerSecond: 5 })
    expect(quota).toEqual({ requestsPerSecond: 5 })
    const listed = (await api('GET', '/v1/keys', key)).json.keys as { id: string; quota: unknown }[]
    expect(listed.find((one) => one.id === id)?.quota).toEqual({ requestsPerSecond: 5 })

    const answers = await Promise.all(Array.from({ length: 20 }, () => api('POST', '/v1/events', key, event())))
    const passed = answers.filter(({ status }) => status === 202)
    expect(passed.length).toBeGreaterThanOrEqual(5)
    expect(passed.length).toBeLessThanOrEqual(12)
    for (const { headers } of answers) {
      expect(headers.get('ratelimit-policy')).toBe('"key";q=5;w=1, "tenant-bytes";q=20000;qu="content-bytes";w=1')
      expect(headers.get('ratelimit')).toMatch(/^"key";r=\d;t=\d+, "tenant-bytes";r=\d+;t=1$/)
    }
    for (const { status, headers, json } of answers.filter((one) => !passed.includes(one))) {
      expect([status, json.code, json['violated-policies']]).toEqual([429, 'RATE_LIMITED', ['key']])
      expect(Number(headers.get('retry-after'))).toBe(1)
    }
    // What was told holds: after Retry-After there is room.
    await expect.poll(() => api('GET', '/v1/events?limit=1', key).then(({ status }) => status)).toBe(200)
  })

  it('holds the quota of the settings when it has none', async () => {
    const { key, quota } = await make('settings')
    expect(quota).toBeNull()
    const { headers } = await api('GET', '/v1/events?limit=1', key)
    expect(headers.get('ratelimit-policy')).toMatch(/^"key";q=1000;w=1, /)
  })

  it('can be given another one, or none, by an admin of its tenant', async () => {
    const { id, key } = await make('changed', { requestsPerSecond: 1 })
    const policy = async () => (await api('GET', '/v1/events?limit=1', key)).headers.get('ratelimit-policy')
    expect(await policy()).toMatch(/^"key";q=1;w=1, /)
    const change = (quota: unknown, as = key) => api('PATCH', `/v1/keys/${id}`, as, { quota })
    expect((await change({ requestsPerSecond: 7 })).json.quota).toEqual({ requestsPerSecond: 7 })
    expect(await policy()).toMatch(/^"key";q=7;w=1, /)
    expect((await change({})).status).toBe(200)
    expect(await policy()).toMatch(/^"tenant-bytes";/)
    expect((await change(null)).json.quota).toBeNull()
    expect(await policy()).toMatch(/^"key";q=1000;w=1, /)
    const stranger = await make('strange')
    expect((await change(null, stranger.key)).status).toBe(404)
    expect((await change({ requestsPerSecond: 0 })).status).toBe(400)
  })

  it('keeps it over a rotation', async () => {
    const { id } = await make('rotated', { bytesPerSecond: 1_000 })
    expect((await api('POST', `/v1/keys/${id}/rotate`, adminKey, {})).json.quota).toEqual({ bytesPerSecond: 1_000 })
  })

  it.each([{ requestsPerSecond: 0 }, { requestsPerSecond: 1.5 }, { eventsPerSecond: 1 }, 5])(
    '%j is refused',
    async (quota) => {
      const { status, json } = await api('POST', '/v1/keys', adminKey, { name: 'k', scopes: ['query'], quota })
      expect([status, json.code]).toEqual([400, 'REQUEST_INVALID'])
    },
  )

  it('is not limited in what operators ask', async () => {
    const { key } = await make('admins', { requestsPerSecond: 1 })
    const answers = await Promise.all(Array.from({ length: 10 }, () => api('GET', '/v1/keys', key)))
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200))
    expect(answers[0]!.headers.get('ratelimit')).toBeNull()
  })
})

describe('a tenant with a quota', () => {
  it('may use so many bytes over all of its keys, and more than a second’s worth in one request', async () => {
    const [one, two, other] = [await make('bytes'), await make('bytes'), await make('other')]
    const large = await api('POST', '/v1/events', one.key, event('x'.repeat(60_000)))
    expect(large.status).toBe(202)
    const refused = await api('POST', '/v1/events', two.key, event())
    expect([refused.status, refused.json['violated-policies']]).toEqual([429, ['tenant-bytes']])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(2)
    expect((await api('POST', '/v1/events', other.key, event())).status).toBe(202)
  })

  it('is told in the metrics', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text()
    expect(text).toMatch(/^splitstream_http_limited_total\{splitstream_quota="tenant-bytes"\} [1-9]/m)
  })
})
