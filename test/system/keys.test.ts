import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, type RunningServer, startServer } from '../support/server.ts'

interface Key {
  readonly id: string
  readonly name: string
  readonly tenant: string
  readonly scopes: readonly string[]
  readonly prefix: string
  readonly expiresAt: string | null
  readonly revokedAt: string | null
}
type Fresh = Key & { readonly key: string }

const admin = 'keys-test-admin-key-keys-test-admin-key'
let server: RunningServer

beforeAll(async () => {
  server = await startServer({ env: { ADMIN_KEY: admin, LOG_LEVEL: 'warn', STORAGE_LINGER_MS: '0' } })
})
afterAll(() => server?.stop())

async function api(method: string, path: string, key: string | undefined, body?: unknown) {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const json: unknown = text === '' ? undefined : JSON.parse(text)
  const code = (json as { code?: string } | undefined)?.code
  return { status: response.status, headers: response.headers, text, json, code }
}

async function create(input: object, as = admin): Promise<Fresh> {
  const { status, json } = await api('POST', '/v1/keys', as, { name: 'k', scopes: ['query'], ...input })
  expect(status).toBe(201)
  return json as Fresh
}
const list = async (key: string): Promise<Key[]> => {
  const { status, json } = await api('GET', '/v1/keys', key)
  expect(status).toBe(200)
  return (json as { keys: Key[] }).keys
}
/** What the server says to a read with this key. */
const works = async (key: string): Promise<number> => (await api('GET', '/v1/events?limit=1', key)).status
async function until(status: number, key: string): Promise<void> {
  const deadline = Date.now() + 20_000
  while ((await works(key)) !== status) {
    if (Date.now() > deadline) throw new Error(`still not ${status}`)
    await setTimeout(50)
  }
}

describe('a key', () => {
  it('is shown once: in the answer that made it, which nothing may keep, and in no list', async () => {
    const made = await api('POST', '/v1/keys', admin, { name: 'ci', tenant: 'once', scopes: ['query', 'admin'] })
    expect(made.status).toBe(201)
    expect(made.headers.get('cache-control')).toBe('no-store')
    const { key, ...view } = made.json as Fresh
    expect(view).toMatchObject({
      name: 'ci',
      tenant: 'once',
      scopes: ['query', 'admin'],
      expiresAt: null,
      revokedAt: null,
    })
    expect(await works(key)).toBe(200)
    for (const asker of [admin, key]) {
      const listed = await api('GET', '/v1/keys', asker)
      expect((listed.json as { keys: Key[] }).keys.find((one) => one.id === view.id)).toMatchObject(view)
      expect(listed.text).not.toContain(key)
      expect(listed.text).not.toMatch(/hash|secret/i)
      expect(listed.text).not.toContain(admin)
    }
    expect(key.startsWith(view.prefix)).toBe(true)
    expect(key.length - view.prefix.length).toBeGreaterThanOrEqual(32)
    expect(server.output()).not.toContain(key)
  })

  it('is listed newest first', async () => {
    const a = await create({ tenant: 'order' })
    const b = await create({ tenant: 'order' })
    expect((await list(admin)).filter((one) => one.tenant === 'order').map((one) => one.id)).toEqual([b.id, a.id])
  })

  it('can be rotated: the old one is good for the grace period, then not', async () => {
    const old = await create({ tenant: 'rotate' })
    const rotated = await api('POST', `/v1/keys/${old.id}/rotate`, admin, { graceSeconds: 4 })
    expect([rotated.status, rotated.headers.get('cache-control')]).toEqual([200, 'no-store'])
    const { key, id } = rotated.json as Fresh
    expect(id).toBe(old.id)
    expect(key).not.toBe(old.key)
    expect([await works(old.key), await works(key)]).toEqual([200, 200])
    await until(401, old.key)
    expect(await works(key)).toBe(200)
  })

  it('rotated without grace is replaced at once', async () => {
    const old = await create({ tenant: 'rotate' })
    const { json } = await api('POST', `/v1/keys/${old.id}/rotate`, admin, { graceSeconds: 0 })
    expect([await works(old.key), await works((json as Fresh).key)]).toEqual([401, 200])
  })

  it('that is revoked stops at once, its old secret too, and cannot be rotated back', async () => {
    const old = await create({ tenant: 'revoke' })
    const { json } = await api('POST', `/v1/keys/${old.id}/rotate`, admin, {})
    expect((await api('DELETE', `/v1/keys/${old.id}`, admin)).status).toBe(204)
    expect([await works(old.key), await works((json as Fresh).key)]).toEqual([401, 401])
    expect((await api('POST', `/v1/keys/${old.id}/rotate`, admin, {})).status).toBe(404)
    expect((await list(admin)).find((one) => one.id === old.id)?.revokedAt).not.toBeNull()
    await setTimeout(2_500) // the keys are read again meanwhile
    expect([await works(old.key), await works((json as Fresh).key)]).toEqual([401, 401])
  })

  it('expires', async () => {
    const { key, id } = await create({ tenant: 'expire', expiresAt: new Date(Date.now() + 4_000).toISOString() })
    expect(await works(key)).toBe(200)
    await until(401, key)
    expect((await api('POST', `/v1/keys/${id}/rotate`, admin, {})).status).toBe(404)
  })

  it.each([
    { scopes: [] },
    { scopes: ['root'] },
    { name: '' },
    { tenant: 'system' },
    { tenant: 'Not A Tenant' },
    { expiresAt: 'soon' },
    { key: 'mine' },
  ])('%j is refused', async (bad) => {
    const { status, code } = await api('POST', '/v1/keys', admin, { name: 'k', scopes: ['query'], ...bad })
    expect([status, code]).toEqual([400, 'REQUEST_INVALID'])
  })

  it('of the operator cannot be revoked, nor rotated while it is ADMIN_KEY', async () => {
    const operator = (await list(admin)).find((one) => one.name === 'operator')!
    expect((await api('DELETE', `/v1/keys/${operator.id}`, admin)).code).toBe('CONFLICT')
    const rotated = await api('POST', `/v1/keys/${operator.id}/rotate`, admin, { graceSeconds: 0 })
    expect([rotated.status, rotated.code]).toEqual([409, 'CONFLICT'])
    expect((rotated.json as { detail: string }).detail).toContain('change ADMIN_KEY in all processes')
    expect(await works(admin)).toBe(200)
  })
})

const event = { id: '1', source: '/s', type: 't', data: { n: 1 } }
const routes: [string, string, string, unknown?][] = [
  ['ingest', 'POST', '/v1/events', event],
  ['query', 'GET', '/v1/events'],
  ['query', 'POST', '/v1/query', { measures: [{ fn: 'count', as: 'n' }] }],
  ['admin', 'GET', '/v1/keys'],
  ['admin', 'POST', '/v1/keys', { name: 'x', scopes: ['query'] }],
  ['admin', 'POST', '/v1/keys/abc/rotate', {}],
  ['admin', 'DELETE', '/v1/keys/abc'],
  ['admin', 'GET', '/v1/dead-letters'],
  ['admin', 'GET', '/v1/dead-letters/0-1'],
  ['admin', 'POST', '/v1/dead-letters/replay', { ids: ['0-1'] }],
  ['admin', 'DELETE', '/v1/dead-letters/0-1'],
  ['admin', 'GET', '/v1/losses'],
  ['admin', 'POST', '/v1/losses/acknowledge'],
]

describe('scopes', () => {
  const keys = new Map<string, string>()
  beforeAll(async () => {
    for (const scope of ['ingest', 'query', 'sagas', 'admin']) {
      keys.set(scope, (await create({ tenant: 'scopes', scopes: [scope] })).key)
    }
  })

  it.each(routes)('%s: %s %s', async (scope, method, path, body) => {
    const one = [...keys.values()][0]!
    for (const key of [undefined, 'x'.repeat(40), `${one.slice(0, -1)}${one.endsWith('0') ? '1' : '0'}`]) {
      const { status, code, json } = await api(method, path, key, body)
      expect([status, code]).toEqual([401, 'UNAUTHENTICATED'])
      expect(json).not.toHaveProperty('keys')
    }
    for (const [other, key] of keys) {
      const { status } = await api(method, path, key, body)
      if (other !== scope || path.startsWith('/v1/losses')) expect([other, status]).toEqual([other, 403])
      else expect([other, [401, 403].includes(status) || status >= 500]).toEqual([other, false])
    }
  })
})

describe('a tenant', () => {
  it('sees its own events and keys only, and manages no others', async () => {
    const scopes = ['ingest', 'query', 'admin']
    const [red, blue] = [await create({ tenant: 'red', scopes }), await create({ tenant: 'blue', scopes })]
    for (const { key, tenant } of [red, blue]) {
      const sent = { ...event, data: { secret: tenant } } // the same source and id: two events
      expect((await api('POST', '/v1/events?wait=stored', key, sent)).status).toBe(200)
    }
    for (const { key, tenant } of [red, blue]) {
      const { json } = await api('GET', '/v1/events', key)
      expect((json as { events: { data: unknown }[] }).events.map((one) => one.data)).toEqual([{ secret: tenant }])
      const counted = await api('POST', '/v1/query', key, { measures: [{ fn: 'count', as: 'n' }] })
      expect(counted.json).toMatchObject({ rows: [{ n: 1 }] })
      expect((await list(key)).map((one) => one.tenant)).toEqual([tenant])
      expect((await api('GET', '/v1/dead-letters', key)).json).toEqual({ deadLetters: [], next: null })
    }
    expect((await api('POST', `/v1/keys/${blue.id}/rotate`, red.key, {})).status).toBe(404)
    expect((await api('DELETE', `/v1/keys/${blue.id}`, red.key)).status).toBe(404)
    expect((await api('DELETE', '/v1/keys/operator', red.key)).status).toBe(404)
    expect((await api('POST', '/v1/keys', red.key, { name: 'x', tenant: 'blue', scopes: ['admin'] })).status).toBe(403)
    expect(await works(blue.key)).toBe(200)
    expect((await create({ name: 'mine' }, red.key)).tenant).toBe('red')
  })
})

describe('the operator’s key', () => {
  const node = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url))
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

  /** Starts without ADMIN_KEY; returns what it printed once it listened, and stops it after `use`. */
  async function run(dataDir: string, use: (url: string, printed: string | undefined) => Promise<void>): Promise<void> {
    const port = await freePort()
    const child = spawn(node, [main], {
      cwd: dataDir,
      env: { HOME: dataDir, PATH: '/usr/bin:/bin', PORT: `${port}`, DATA_DIR: join(dataDir, 'data') },
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    const exited = new Promise((resolve) => child.once('exit', resolve))
    try {
      for (let i = 0; i < 400 && !output.includes('listens at'); i++) await setTimeout(50)
      const printed = output.match(/ss_op_\w+/g) ?? []
      expect(printed.length).toBeLessThanOrEqual(1)
      await use(`http://127.0.0.1:${port}`, printed[0])
    } finally {
      child.kill('SIGTERM')
      expect(await exited).toBe(0)
    }
  }

  it('is made and printed at the first start, works, is not printed again, and can be rotated', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'splitstream-keys-'))
    let key = ''
    const ask = async (url: string): Promise<number> =>
      (await fetch(`${url}/v1/keys`, { headers: { authorization: `Bearer ${key}` } })).status
    await run(dir, async (url, printed) => {
      key = printed!
      expect(await ask(url)).toBe(200)
    })
    await run(dir, async (url, printed) => {
      expect(printed).toBeUndefined()
      expect(await ask(url)).toBe(200)
      const authorization = `Bearer ${key}`
      const headers = { authorization, 'content-type': 'application/json' }
      const rotated = await fetch(`${url}/v1/keys/operator/rotate`, {
        method: 'POST',
        headers,
        body: '{"graceSeconds":0}',
      })
      expect(await ask(url)).toBe(401)
      key = ((await rotated.json()) as Fresh).key
    })
    await run(dir, async (url) => expect(await ask(url)).toBe(200))
    await rm(dir, { recursive: true, force: true })
  })
})
