import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isEnded, SagaWorld } from './sagas.fixture.ts'

/*
 * POST /v1/sagas/{name} against the IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header):
 * 400 when it is missing, 409 while the first request is being answered, 422 with another payload, the first saga otherwise.
 */

interface Started {
  readonly id: string
  readonly status: string
  readonly output: unknown
}

const adminKey = 'sagas-start-key-sagas-start-key-sagas-start'
let dir: string
let world: SagaWorld

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-sagas-'))
  const slow = { delayMs: 1_500 }
  const misbehaves = ({ body }: { body: unknown }) =>
    (body as { orderId: string }).orderId === 'slow' ? slow : undefined
  world = await SagaWorld.start({ misbehaves }, { dataDir: dir, env: { ADMIN_KEY: adminKey } })
  await world.publish('order')
  await world.publish('wait', { steps: [{ id: 'w', wait: { for: '100ms' } }], output: '${input}' })
  await world.publish('free', { idempotencyKey: 'optional', steps: [{ id: 'w', wait: { for: '1ms' } }] })
})

afterAll(async () => {
  await world?.close()
  await rm(dir, { recursive: true, force: true })
})

const order = (orderId: string = randomUUID()) => ({ orderId, amount: 10, quantity: 1, country: 'BE' })

const start = (name: string, body: unknown, key?: string, more: { query?: string; tenantKey?: string } = {}) =>
  world.api<Started>('POST', `/v1/sagas/${name}${more.query ?? ''}`, {
    body,
    key: more.tenantKey,
    ...(key !== undefined && { headers: { 'idempotency-key': key } }),
  })

const sagasOf = async (name: string): Promise<number> =>
  (await world.api<{ sagas: unknown[] }>('GET', `/v1/sagas?name=${name}&limit=1000`)).json.sagas.length

describe('an Idempotency-Key', () => {
  it('is needed: 400 without, and nothing is started', async () => {
    const before = await sagasOf('wait')
    const { status, code } = await start('wait', {})
    expect([status, code]).toEqual([400, 'IDEMPOTENCY_KEY_MISSING'])
    expect(await sagasOf('wait')).toBe(before)
  })

  it('is not needed where the definition says so; each request starts one then', async () => {
    const [first, second] = [await start('free', {}), await start('free', {})]
    expect([first.status, second.status]).toEqual([202, 202])
    expect(first.json.id).not.toBe(second.json.id)
    const key = randomUUID()
    expect((await start('free', {}, key)).json.id).toBe((await start('free', {}, key)).json.id)
  })

  it('with the same payload gives the same saga again, marked as such', async () => {
    const key = randomUUID()
    const first = await start('wait', { n: 1, list: [1, { a: null }] }, key)
    expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([202, null])
    expect(first.headers.get('location')).toBe(`/v1/sagas/${first.json.id}`)
    for (const body of [{ n: 1, list: [1, { a: null }] }, '{ "list": [1.0, {"a":null}],\n"n": 1e0 }']) {
      const again = await start('wait', body, key)
      expect(again.json.id).toBe(first.json.id)
      expect(again.headers.get('idempotent-replayed')).toBe('true')
    }
    const waited = await start('wait', { n: 1, list: [1, { a: null }] }, key, { query: '?wait=10' })
    expect([waited.status, waited.json]).toMatchObject([
      200,
      { id: first.json.id, status: 'completed', output: { n: 1, list: [1, { a: null }] } },
    ])
  })

  it('with another payload gives 422', async () => {
    const key = randomUUID()
    await start('wait', { n: 1 }, key)
    for (const body of [{ n: 2 }, {}, [], { n: 1, m: 1 }, { n: '1' }]) {
      const { status, code } = await start('wait', body, key)
      expect([status, code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED'])
    }
  })

  it('used by many at once starts one saga: the others get it, or 409 with Retry-After', async () => {
    const key = randomUUID()
    const before = await sagasOf('order')
    const body = order('slow')
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => start('order', body, key, { query: '?wait=10' })),
    )
    const ids = new Set(answers.filter(({ status }) => status === 200).map(({ json }) => json.id))
    expect(ids.size).toBe(1)
    const busy = answers.filter(({ status }) => status !== 200)
    expect(busy.length).toBeGreaterThan(0)
    for (const { status, code, headers } of busy) {
      expect([status, code, headers.get('retry-after')]).toEqual([409, 'IDEMPOTENCY_KEY_BUSY', '1'])
    }
    expect(await sagasOf('order')).toBe(before + 1)
    expect((await start('order', body, key)).json.id).toBe([...ids][0])
  })

  it('stands for itself in each tenant and each definition', async () => {
    const key = randomUUID()
    const tenantKey = await world.key('elsewhere')
    await world.publish('wait', { steps: [{ id: 'w', wait: { for: '1ms' } }] }, tenantKey)
    const ids = [
      (await start('wait', {}, key)).json.id,
      (await start('free', {}, key)).json.id,
      (await start('wait', {}, key, { tenantKey })).json.id,
    ]
    expect(new Set(ids).size).toBe(3)
  })

  it.each([
    ['of 255 characters', 'k'.repeat(255)],
    ['that is a structured string, quotes included', '"8e03978e-40d5-43dd-bc93-6894a57f9324"'],
    ['with spaces and signs', 'order #17; retry=1, a/b\\c'],
  ])('%s is taken as it is', async (_, key) => {
    const first = await start('wait', { key }, key)
    expect(first.status).toBe(202)
    expect((await start('wait', { key }, key)).json.id).toBe(first.json.id)
    // Another one by a single character.
    expect((await start('wait', { key }, `${key.slice(0, -1)}!`)).json.id).not.toBe(first.json.id)
  })

  it.each([
    ['of 256 characters', 'k'.repeat(256)],
    ['that is not ASCII', 'schl\u00fcssel'],
    ['that is empty', ''],
  ])('%s gives 400', async (_, key) => {
    const { status, code } = await start('wait', {}, key)
    expect([status, code]).toEqual([
      400,
      key === '' ? expect.stringMatching(/HEADER_INVALID|MISSING/) : 'HEADER_INVALID',
    ])
  })

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'is known after a restart (%s), and the saga has gone on',
    async (signal) => {
      const key = randomUUID()
      const body = order('slow')
      const first = await start('order', body, key)
      await world.restart(signal)
      const again = await start('order', body, key, { query: '?wait=20' })
      expect([again.status, again.json.id, again.json.status]).toEqual([200, first.json.id, 'completed'])
      expect(again.headers.get('idempotent-replayed')).toBe('true')
      expect((await start('order', order('other'), key)).code).toBe('IDEMPOTENCY_KEY_REUSED')
      const charges = world.stubs.ledger().filter(({ saga, effect }) => saga === first.json.id && effect === 'charge')
      expect(charges).toHaveLength(1)
    },
  )
})

describe('wait', () => {
  it('answers with the end, or 202 when that takes longer', async () => {
    const fast = await start('order', order(), randomUUID(), { query: '?wait=10' })
    expect([fast.status, fast.json]).toMatchObject([
      200,
      { status: 'completed', problem: null, output: { charge: expect.stringMatching(/^charge-/) } },
    ])
    const refused = await start('order', { ...order(), country: 'AQ' }, randomUUID(), { query: '?wait=10' })
    expect([refused.status, refused.json]).toMatchObject([200, { status: 'compensated', output: null }])
    const from = performance.now()
    const slow = await start('order', order('slow'), randomUUID(), { query: '?wait=0.5' })
    expect([slow.status, slow.json]).toMatchObject([202, { status: 'running', output: null, endedAt: null }])
    expect(performance.now() - from).toBeLessThan(4_000)
    expect((await world.until(slow.json.id, isEnded)).status).toBe('completed')
  })

  it.each(['?wait=31', '?wait=-1', '?wait=soon', '?wait=', '?wait=1&wait=1', '?later=1'])(
    '%s gives 400',
    async (query) => {
      const { status, code } = await start('wait', {}, randomUUID(), { query })
      expect([status, code]).toEqual([400, 'REQUEST_INVALID'])
    },
  )

  it('that the client does not see to its end harms nothing', async () => {
    const key = randomUUID()
    const body = order('slow')
    const leaving = new AbortController()
    const asked = world.api('POST', '/v1/sagas/order?wait=20', {
      body,
      headers: { 'idempotency-key': key },
      signal: leaving.signal,
    })
    await delay(500)
    leaving.abort()
    await expect(asked).rejects.toThrow()
    let again = await start('order', body, key, { query: '?wait=20' })
    // Until the server has seen that the client is gone.
    for (let i = 0; again.status === 409 && i < 30; i++) {
      await delay(100)
      again = await start('order', body, key, { query: '?wait=20' })
    }
    const { json, status } = again
    expect([status, json.status]).toEqual([200, 'completed'])
    expect(world.stubs.ledger().filter(({ saga, effect }) => saga === json.id && effect === 'ship')).toHaveLength(1)
  })
})

describe('a start that is not right', () => {
  const headers = { 'idempotency-key': 'bad-starts' }

  it.each([
    ['not JSON', '{"a":', 400, 'BODY_MALFORMED'],
    ['a number that a double does not keep', '{"amount":9007199254740993}', 400, 'REQUEST_INVALID'],
    ['nested too deeply', `${'['.repeat(5_000)}${']'.repeat(5_000)}`, 400, 'BODY_TOO_DEEP'],
    ['over 64 KiB', JSON.stringify({ text: 'x'.repeat(65_536) }), 413, 'BODY_TOO_LARGE'],
  ])('%s: %#', async (_, body, status, code) => {
    const answer = await world.api('POST', '/v1/sagas/wait', { body, headers })
    expect([answer.status, answer.code]).toEqual([status, code])
  })

  it('without a body, or with one of another type', async () => {
    const post = async (contentType: string | undefined, body: string | undefined) => {
      const answer = await world.api('POST', '/v1/sagas/wait', {
        headers: { ...headers, ...(contentType !== undefined && { 'content-type': contentType }) },
        ...(body !== undefined && { body }),
      })
      return [answer.status, answer.code]
    }
    expect(await post('application/json', undefined)).toEqual([400, 'BODY_EMPTY'])
    expect(await post('text/plain', '{}')).toEqual([415, 'MEDIA_TYPE_UNSUPPORTED'])
    expect(await post('application/json; charset=latin1', '{}')).toEqual([415, 'MEDIA_TYPE_UNSUPPORTED'])
  })

  it('of a saga that is not there, or is retired: 404', async () => {
    expect((await start('nothing', {}, randomUUID())).status).toBe(404)
    await world.publish('old', { steps: [{ id: 'w', wait: { for: '1ms' } }] })
    const key = randomUUID()
    expect((await start('old', {}, key)).status).toBe(202)
    expect((await world.api('DELETE', '/v1/saga-definitions/old')).status).toBe(204)
    expect((await start('old', {}, randomUUID())).code).toBe('NOT_FOUND')
    await world.publish('old', { steps: [{ id: 'w', wait: { for: '2ms' } }] })
    expect((await start('old', {}, randomUUID())).status).toBe(202)
  })

  it('cut off in the middle starts nothing', async () => {
    const before = await sagasOf('wait')
    const { hostname, port } = new URL(world.server.url)
    const socket = connect(Number(port), hostname)
    socket.write(
      `POST /v1/sagas/wait HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${adminKey}\r\nIdempotency-Key: cut\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"a"`,
    )
    await delay(200)
    socket.destroy()
    await delay(300)
    expect(await sagasOf('wait')).toBe(before)
  })
})

it('its calls are in GET /health together, which names no participant and no definition', async () => {
  expect((await start('order', order(), randomUUID(), { query: '?wait=20' })).status).toBe(200)
  const text = await (await fetch(`${world.server.url}/health`)).text()
  const { participants } = (JSON.parse(text) as { dependencies: Record<string, { state: string; calls: number }> })
    .dependencies
  expect(participants).toMatchObject({ state: 'ok', p99Ms: expect.any(Number) })
  expect(participants!.calls).toBeGreaterThanOrEqual(3)
  expect(text).not.toMatch(/order|payments|stock|shipping/)
})
