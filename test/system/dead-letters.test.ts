import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'
import { DocumentedClient } from './openapi.fixture.ts'

/*
 * Ingest and the table agree on what an event is, so no event sent over HTTP becomes a dead letter. The bad ones are made in
 * the log of a server that died before it stored them: rows that the engine refuses though their checksum is right, and a
 * record whose checksum is wrong.
 */

interface Letter {
  readonly id: string
  readonly code: string
  readonly reason: string
  readonly failedAt: string
  readonly replayedAt: string | null
  readonly partition: number
  readonly offset: number
  readonly event?: { readonly id: string; readonly source: string; readonly data: unknown }
  readonly recordBase64?: string
}
interface Replay {
  readonly dryRun: boolean
  readonly found: number
  readonly replayable: number
  readonly receipt?: { readonly accepted: number; readonly position: string }
}

const adminKey = 'dead-letters-key-dead-letters-key-dead-letters'
let dir: string
let server: RunningServer
let tenantKey: string
let broken: Buffer

const paddedData = `{"pad":"${'x'.repeat(2_500)}"}`
const replayableData = '{"n":1}'

async function api(method: string, path: string, key: string, body?: unknown) {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, json: (text === '' ? undefined : JSON.parse(text)) as unknown }
}

async function ingest(key: string, source: string, ids: readonly string[], bad = ''): Promise<void> {
  const lines = ids.map(
    (id) =>
      `{"id":"${id}","source":"${source}","type":"t","time":"2026-01-01T00:00:00Z","data":${id === bad ? paddedData : '{"n":1}'}}`,
  )
  const response = await fetch(`${server.url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  })
  expect(response.status).toBe(202)
}

const letters = async (key: string, query = ''): Promise<Letter[]> => {
  const { status, json } = await api('GET', `/v1/dead-letters${query}`, key)
  expect(status).toBe(200)
  return (json as { deadLetters: Letter[] }).deadLetters
}
const byId = async (key: string, event: string): Promise<Letter> =>
  (await letters(key)).find((letter) => letter.event?.id === event)!
async function stored(key: string, source: string, after?: string): Promise<string[]> {
  const query = new URLSearchParams({ source, ...(after !== undefined && { after }) })
  const { json } = await api('GET', `/v1/events?${query}`, key)
  return (json as { events: { id: string }[] }).events.map((event) => event.id).sort()
}
const replay = (key: string, body: object) => api('POST', '/v1/dead-letters/replay', key, body)

/** What a fault leaves behind: rows with bytes after their last column, and a record that fails its checksum. */
function damageLog(): void {
  const log = new DatabaseSync(join(dir, 'log', 'log.db'))
  let refused = 0
  const rows = log.prepare('SELECT base_offset, bytes FROM partition_0').all()
  for (const { base_offset, bytes } of rows as unknown as { base_offset: number; bytes: Uint8Array }[]) {
    const row = Buffer.from(bytes)
    for (let at = row.indexOf(paddedData); at >= 0; at = row.indexOf(paddedData, at)) {
      row.fill(0xff, at, at + paddedData.length)
      row.write(replayableData, at)
      row.set([0x80 | replayableData.length, 0], at - 2) // the length of the column, LEB128 in two bytes
      refused++
    }
    const crc = crc32(row)
    const victim = row.indexOf('/corrupt')
    if (victim >= 0) {
      row[victim]! ^= 0xff
      broken = row
    }
    log.prepare('UPDATE partition_0 SET bytes = ?, crc = ? WHERE base_offset = ?').run(row, crc, base_offset)
  }
  log.close()
  expect(refused).toBe(4)
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-dead-'))
  const env = { ADMIN_KEY: adminKey, LOG_PARTITIONS: '1', LOG_LEVEL: 'warn' }
  server = await startServer({ dataDir: dir, env: { ...env, STORAGE_LINGER_MS: '10000' } })
  const made = await api('POST', '/v1/keys', adminKey, {
    name: 'k',
    tenant: 'acme',
    scopes: ['ingest', 'query', 'admin'],
  })
  tenantKey = (made.json as { key: string }).key
  await ingest(tenantKey, '/a', ['a1', 'a2', 'bad1', 'a3', 'a4'], 'bad1')
  await ingest(adminKey, '/corrupt', ['c1', 'c2'])
  await ingest(tenantKey, '/b', ['bad2', 'b1'], 'bad2')
  await ingest(tenantKey, '/b', ['b2', 'bad3'], 'bad3')
  await ingest(adminKey, '/d', ['bad4', 'd1'], 'bad4')
  server.kill('SIGKILL')
  await server.exited
  await server.stop()
  damageLog()
  server = await startServer({ dataDir: dir, env })
  await ingest(tenantKey, '/later', ['l1'])
  for (let i = 0; i < 200 && (await stored(tenantKey, '/later')).length === 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
})

afterAll(async () => {
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

describe('an event that the engine cannot take', () => {
  it('becomes a dead letter with reason, bytes and position, and its neighbours are stored', async () => {
    expect(await stored(tenantKey, '/a')).toEqual(['a1', 'a2', 'a3', 'a4'])
    expect(await stored(tenantKey, '/later')).toEqual(['l1'])
    expect(await stored(adminKey, '/d')).toEqual(['d1'])
    const letter = await byId(tenantKey, 'bad1')
    expect(letter).toMatchObject({
      partition: 0,
      offset: 2,
      replayedAt: null,
      code: expect.stringMatching(/^[A-Z_]{5,}$/),
    })
    expect(letter.reason.length).toBeGreaterThan(10)
    expect(Math.abs(Date.now() - Date.parse(letter.failedAt))).toBeLessThan(120_000)
    expect(letter.event).toEqual({
      specversion: '1.0',
      id: 'bad1',
      source: '/a',
      type: 't',
      time: '2026-01-01T00:00:00Z',
      data: { n: 1 },
    })
    expect((await api('GET', `/v1/dead-letters/${letter.id}`, tenantKey)).json).toEqual(letter)
  })

  it('is counted, and leaves the process ready', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text()
    expect(text).toMatch(/^splitstream_storage_events_total\{outcome="dead_letter"\} 5$/m)
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200)
  })

  it('keeps a record that fails its checksum as its bytes, for the operator, replayable only when mended', async () => {
    const [letter, ...more] = await letters(adminKey, '?code=LOG_CORRUPT')
    expect(more).toEqual([])
    expect(letter).toMatchObject({ partition: 0, offset: 5, recordBase64: broken.toString('base64') })
    expect(letter!.reason).toContain('2 events')
    const asIs = await replay(adminKey, { ids: [letter!.id], dryRun: false })
    expect(asIs.json).toEqual({ dryRun: false, found: 1, replayable: 0 })
    const event = { id: 'c1', source: '/corrupt', type: 't', time: '2026-01-01T00:00:00Z', data: { mended: true } }
    const mended = await replay(adminKey, { ids: [letter!.id], dryRun: false, event })
    expect(await stored(adminKey, '/corrupt', (mended.json as Replay).receipt!.position)).toEqual(['c1'])
  })

  it('shows such bytes to no other key, not even to an admin of the operator’s tenant', async () => {
    const { id } = (await letters(adminKey, '?code=LOG_CORRUPT'))[0]!
    const made = await api('POST', '/v1/keys', adminKey, { name: 'other', scopes: ['ingest', 'query', 'admin'] })
    const { key, tenant } = made.json as { key: string; tenant: string }
    expect(tenant).toBe('default')
    expect((await letters(key)).map((letter) => letter.event?.id)).toEqual(['bad4'])
    expect((await api('GET', `/v1/dead-letters/${id}`, key)).status).toBe(404)
    expect((await api('DELETE', `/v1/dead-letters/${id}`, key)).status).toBe(404)
    expect((await replay(key, { ids: [id] })).json).toEqual({ dryRun: true, found: 0, replayable: 0 })
  })
})

describe('the list', () => {
  it('shows the letters of the tenant only', async () => {
    const ids = (list: Letter[]) => list.flatMap((letter) => letter.event?.id ?? letter.code).sort()
    expect(ids(await letters(adminKey))).toEqual(['LOG_CORRUPT', 'bad4'])
    expect(ids(await letters(tenantKey)).filter((id) => !/^bad[123]$/.test(id))).toEqual([])
    const { id } = (await letters(adminKey, '?code=LOG_CORRUPT'))[0]!
    expect((await api('GET', `/v1/dead-letters/${id}`, tenantKey)).status).toBe(404)
    expect((await api('DELETE', `/v1/dead-letters/${id}`, tenantKey)).status).toBe(404)
    expect((await replay(tenantKey, { ids: [id] })).json).toEqual({ dryRun: true, found: 0, replayable: 0 })
  })

  it('goes page by page', async () => {
    const first = (await api('GET', '/v1/dead-letters?limit=1', adminKey)).json as {
      deadLetters: Letter[]
      next: string
    }
    expect(first.deadLetters).toHaveLength(1)
    const second = await letters(adminKey, `?limit=10&before=${first.next}`)
    expect(second.map((letter) => letter.id)).not.toContain(first.deadLetters[0]!.id)
    expect(second).toHaveLength(1)
  })

  it.each(['?limit=0', '?limit=1001', '?limit=x', '?nonsense=1'])('%s is refused', async (query) => {
    const { status, json } = await api('GET', `/v1/dead-letters${query}`, adminKey)
    expect([status, (json as { code: string }).code]).toEqual([400, 'REQUEST_INVALID'])
  })
})

describe('a replay', () => {
  it('is a dry run unless told otherwise, and changes nothing then', async () => {
    const before = await byId(tenantKey, 'bad1')
    for (const dry of [{}, { dryRun: true }]) {
      const { status, json } = await replay(tenantKey, { ids: [before.id, '0-999999'], ...dry })
      expect([status, json]).toEqual([200, { dryRun: true, found: 1, replayable: 1 }])
    }
    expect(await byId(tenantKey, 'bad1')).toEqual(before)
    expect(await stored(tenantKey, '/a')).toEqual(['a1', 'a2', 'a3', 'a4'])
  })

  it('stores the event once, however often it is replayed', async () => {
    const { id } = await byId(tenantKey, 'bad2')
    let position = ''
    for (let i = 0; i < 3; i++) {
      const { status, json } = await replay(tenantKey, { ids: [id], dryRun: false })
      expect(status).toBe(200)
      expect(json).toMatchObject({ dryRun: false, found: 1, replayable: 1, receipt: { accepted: 1 } })
      position = (json as Replay).receipt!.position
    }
    expect(await stored(tenantKey, '/b', position)).toEqual(expect.arrayContaining(['b1', 'b2', 'bad2']))
    expect((await stored(tenantKey, '/b')).filter((one) => one === 'bad2')).toEqual(['bad2'])
    expect((await byId(tenantKey, 'bad2')).replayedAt).not.toBeNull()
  })

  it('refuses a mended event that is bad, or for several letters, and leaves the letter as it was', async () => {
    const before = await byId(tenantKey, 'bad1')
    const bad = await replay(tenantKey, { ids: [before.id], dryRun: false, event: { id: 'bad1' } })
    expect([bad.status, (bad.json as { code: string }).code]).toEqual([422, 'EVENT_INVALID'])
    const several = await replay(tenantKey, { ids: [before.id, 'x'], dryRun: false, event: before.event })
    expect([several.status, (several.json as { code: string }).code]).toEqual([400, 'REQUEST_INVALID'])
    expect((await replay(tenantKey, { ids: [] })).status).toBe(400)
    expect((await replay(tenantKey, { ids: [before.id], dry: false })).status).toBe(400)
    expect(await byId(tenantKey, 'bad1')).toEqual(before)
  })
})

it('a deleted letter is gone, and is not stored', async () => {
  const { id } = await byId(tenantKey, 'bad3')
  expect((await api('DELETE', `/v1/dead-letters/${id}`, tenantKey)).status).toBe(204)
  expect((await api('GET', `/v1/dead-letters/${id}`, tenantKey)).status).toBe(404)
  expect((await api('DELETE', `/v1/dead-letters/${id}`, tenantKey)).status).toBe(404)
  expect((await replay(tenantKey, { ids: [id], dryRun: false })).json).toMatchObject({ found: 0, replayable: 0 })
  expect(await stored(tenantKey, '/b')).not.toContain('bad3')
})

it('is as the OpenAPI document says', async () => {
  const client = await DocumentedClient.of({ url: server.url, adminKey })
  for (const key of [adminKey, tenantKey]) {
    for (const { id } of await letters(key)) await client.ask('getDeadLetter', { params: [id], key })
    await client.ask('listDeadLetters', { query: { limit: '1' }, key })
  }
  const { id } = await byId(tenantKey, 'bad2')
  for (const dryRun of [true, false]) {
    await client.ask('replayDeadLetters', { key: tenantKey, body: { ids: [id], dryRun } })
  }
  expect(await client.misfits()).toEqual([])
})
