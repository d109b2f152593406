import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'
import { DocumentedClient } from './openapi.fixture.ts'

/*
 * The document against the server that serves it, both ways: its routes are those of the document, answers are as it says, and
 * what it gives as examples is taken.
 */

let dir: string
let server: RunningServer
let client: DocumentedClient

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-openapi-'))
  const preload = fileURLToPath(new URL('router-preload.fixture.mjs', import.meta.url))
  server = await startServer({
    dataDir: join(dir, 'data'),
    env: {
      ...{ LOG_LEVEL: 'warn', STORAGE_LINGER_MS: '0', BACKUP_DIR: join(dir, 'backups') },
      ...{ NODE_OPTIONS: `--import=${preload}`, ROUTES_FILE: join(dir, 'routes') },
      ...{ QUOTA_KEY_REQUESTS: '1000', QUOTA_TENANT_REQUESTS: '1000' },
    },
  })
  client = await DocumentedClient.of(server)
  await publish('order', examplesOf('publishSagaDefinition').order!.value)
  // No event has a control character in its subject: ingest refuses it.
  const steps = [
    { id: 'pause', wait: { for: '1ms' } },
    { id: 'tell', emit: { type: 'told', subject: '${input.subject}' } },
  ]
  await publish('tell', { steps, idempotencyKey: 'optional' })
})

afterAll(async () => {
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

const publish = (name: string, body: unknown) => client.ask('publishSagaDefinition', { params: [name], body })

function examplesOf(id: string) {
  const found = client.operations().find(({ operation }) => operation.operationId === id)
  return found?.operation.requestBody?.content['application/json']?.examples ?? {}
}

const bad = (...queries: Record<string, string>[]) => queries

async function start(name: string, body: object, query: Record<string, string> = {}) {
  const asked = { params: [name], body, query, headers: { 'idempotency-key': randomUUID() } }
  return (await client.ask('startSaga', asked)).json as { id: string; status: string }
}

describe('the document', () => {
  it('is public, is kept by its ETag, and is what is in docs/', async () => {
    const url = `${server.url}/openapi.json`
    const first = await fetch(url)
    expect([first.status, first.headers.get('cache-control')]).toEqual([200, 'public, max-age=300'])
    expect(await first.text()).toBe(await readFile(new URL('../../docs/openapi.json', import.meta.url), 'utf8'))
    const etag = first.headers.get('etag')!
    const same = (tag: string) => fetch(url, { headers: { 'if-none-match': tag } }).then(({ status }) => status)
    expect(await Promise.all([etag, `"x", ${etag.slice(2)}`, '*', '"x"'].map(same))).toEqual([304, 304, 304, 200])
  })

  it('is made by the command line too, without a server', async () => {
    const bin = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [bin, 'openapi'], { cwd: dir, maxBuffer: 1 << 24 })
    expect(JSON.parse(stdout)).toEqual(client.document)
  })

  it('has the routes that express has, and no other', async () => {
    // That of a literal path is not that of a parameter in its place, so a sample goes to its own route.
    const sampled = (path: string) => path.replace(/:\w+|\{\w+\}/g, '0')
    const routes = new Set((await readFile(join(dir, 'routes'), 'utf8')).trim().split('\n').map(sampled))
    const documented = new Map<string, string[]>()
    for (const { path, method } of client.operations()) {
      documented.set(sampled(path), [...(documented.get(sampled(path)) ?? []), method.toUpperCase()])
    }
    expect(routes.size).toBeGreaterThan(20)
    expect([...routes].sort()).toEqual([...documented.keys()].sort())
    // No key: nothing is done, whatever is served.
    for (const [path, methods] of documented) {
      const served = []
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        const { status } = await fetch(server.url + path, { method })
        if (status !== 405) served.push(method)
      }
      expect([path, ...served.sort()]).toEqual([path, ...methods.sort()])
    }
  })
})

describe('a server', () => {
  /** Not understood, or not what was expected: anything but that is fine for an example, as there may be nothing to work on. */
  const refusals = new Set([400, 413, 415, 422])

  it('takes the examples of the document, and answers as it says', { timeout: 120_000 }, async () => {
    for (const { operation } of client.operations()) {
      const params = [{ publishSagaDefinition: 'order', startSaga: 'order' }[operation.operationId] ?? '0']
      for (const [type, { examples = {} }] of Object.entries(operation.requestBody?.content ?? {})) {
        for (const [name, { value: body }] of Object.entries(examples)) {
          const headers = { 'idempotency-key': `${operation.operationId}-${name}` }
          const { status, json } = await client.ask(operation.operationId, { params, body, type, headers })
          expect([refusals.has(status), json], `${operation.operationId} ${type} ${name}`).toEqual([false, json])
        }
      }
    }
    expect(await client.misfits()).toEqual([])
  })

  it('answers about events as it says', async () => {
    const events = [
      { id: '1', source: '/o', type: 't', data: { n: 1 }, traceparent: 'x', level: 3, ok: true },
      {
        specversion: '1.0',
        id: '2',
        source: '/o',
        type: 't',
        subject: 's',
        datacontenttype: 'text/plain',
        data: 'text',
      },
      { id: '3', source: '/o', type: 't', data_base64: 'AAEC' },
      { id: '4', source: '/o', type: 't', time: '2001-02-03T04:05:06.123456+01:00', dataschema: 'https://s.example' },
    ]
    const { json } = await client.ask('appendEvents', { body: [...events, { id: '' }], query: { wait: 'stored' } })
    const { position } = json as { position: string }
    const listed = await client.ask('listEvents', { query: { source: '/o', limit: '3', after: position } })
    expect((listed.json as { events: object[] }).events).toHaveLength(3)
    await client.ask('listEvents', {
      query: { cursor: (listed.json as { next: string }).next, source: '/o', limit: '3' },
    })
    const measures = [
      { fn: 'count', as: 'n' },
      { fn: 'max', field: 'data.n', as: 'most' },
    ]
    await client.ask('queryEvents', { body: { measures, groupBy: ['type', 'ext.level'], interval: '1d' } })
    await client.ask('appendEvents', { body: { id: '' } })
    await client.ask('appendEvents', { body: [events[0], { id: '' }], query: { mode: 'strict' } })
    for (const query of bad({ limit: '0' }, { cursor: 'x' }, { after: 'x' }, { where: 'n>1' }, { what: 'x' })) {
      expect((await client.ask('listEvents', { query })).status).toBe(400)
    }
    expect((await client.ask('streamEvents', { query: { after: 'x' } })).status).toBe(400)
    const authorization = `Bearer ${server.adminKey}`
    const stream = await fetch(`${server.url}/v1/events/stream`, { headers: { authorization } })
    expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    await stream.body!.cancel()
    expect((await client.ask('queryEvents', { body: { measures: [] } })).code).toBe('REQUEST_INVALID')
    expect((await client.ask('queryEvents', { body: '{' })).code).toBe('BODY_MALFORMED')
    expect((await client.ask('listEvents', { key: 'none' })).status).toBe(401)
    expect(await client.misfits()).toEqual([])
  })

  it('answers about sagas as it says', async () => {
    await publish('twice', { steps: [{ id: 'a', wait: { for: '1ms' } }] })
    await publish('twice', { steps: [{ id: 'a', wait: { for: '1ms' } }] })
    await publish('gone', { steps: [{ id: 'a', wait: { for: '1ms' } }] })
    expect((await publish('bad', { steps: [] })).status).toBe(422)
    const ended = await start('tell', { subject: 's' }, { wait: '20' })
    expect(ended.status).toBe('completed')
    const headers = { 'idempotency-key': 'k' }
    for (const body of [{ subject: 's' }, { subject: 's' }, { subject: 't' }])
      await client.ask('startSaga', { params: ['tell'], body, headers })
    expect((await client.ask('startSaga', { params: ['order'], body: {} })).code).toBe('IDEMPOTENCY_KEY_MISSING')
    const { id } = await start('order', { order: 'o-1', total: 1 })
    for (const saga of [id, ended.id, 'none']) {
      for (const look of ['getSaga', 'getSagaHistory']) await client.ask(look, { params: [saga] })
    }
    await client.ask('listSagas', {
      query: { name: 'order', status: 'running', limit: '1', from: '2001-01-01T00:00:00Z' },
    })
    const { json } = await client.ask('listSagas', { query: { key: 'k' } })
    expect(json).toMatchObject({ sagas: [{ name: 'tell' }], next: null })
    await client.ask('listSagas', { query: { startedBy: '/shop o-1' } })
    for (const query of bad(
      { problem: 'no' },
      { status: 'gone' },
      { key: 'é' },
      { before: 'x' },
      { from: 'x' },
      { limit: '1e3' },
    )) {
      expect((await client.ask('listSagas', { query })).status).toBe(400)
    }
    expect((await client.ask('skipSaga', { params: [id], body: { step: 'ship' } })).status).toBe(409)
    expect((await client.ask('cancelSaga', { params: [id] })).status).toBeLessThan(203)
    await client.ask('getSaga', { params: [id] })
    await client.ask('listSagaDefinitions', { query: { limit: '1' } })
    await client.ask('getSagaDefinition', { params: ['order'], query: { version: '1' } })
    await client.ask('getSagaDefinitionSchema')
    await client.ask('retireSagaDefinition', { params: ['gone'] })
    await client.ask('retireSagaDefinition', { params: ['gone'] })
    expect(await client.misfits()).toEqual([])
  })

  it('answers about events that ingest refused as it says', async () => {
    await start('tell', { subject: '\u0001' })
    const refused = async () =>
      ((await client.ask('listRefusedEvents')).json as { refusedEvents: { id: string }[] }).refusedEvents
    for (const end = Date.now() + 20_000; (await refused()).length === 0 && Date.now() < end; ) await delay(100)
    const [{ id } = { id: '' }] = await refused()
    await client.ask('getRefusedEvent', { params: [id] })
    expect((await client.ask('replayRefusedEvent', { params: [id] })).status).toBe(422)
    await client.ask('discardRefusedEvent', { params: [id], body: { note: 'n' } })
    expect((await client.ask('discardRefusedEvent', { params: [id] })).status).toBe(409)
    await client.ask('listRefusedEvents', { query: { settled: 'true' } })
    expect(await client.misfits()).toEqual([])
  })

  it('answers about keys and the installation as it says', async () => {
    const { json } = await client.ask('createKey', { body: { name: 'k', scopes: ['query'], quota: {} } })
    const { id, key } = json as { id: string; key: string }
    expect((await client.ask('appendEvents', { key, body: [] })).status).toBe(403)
    await client.ask('rotateKey', { params: [id], body: { graceSeconds: 0 } })
    await client.ask('changeKey', { params: [id], body: { quota: { requestsPerSecond: 5 } } })
    await client.ask('revokeKey', { params: [id] })
    expect((await client.ask('revokeKey', { params: ['-'] })).status).toBe(400)
    expect((await client.ask('createKey', { body: { name: 'k' } })).status).toBe(400)
    const about = ['listKeys', 'listDeadLetters', 'acknowledgeLosses', 'getTopology', 'listEventLogs', 'listBackups']
    const open = ['getHealth', 'getReadiness', 'getLiveness', 'getMetrics', 'getOpenApi']
    for (const one of [...about, ...open]) expect([one, (await client.ask(one)).status]).toEqual([one, 200])
    await client.ask('getDeadLetter', { params: ['0'] })
    await client.ask('getBackup', { params: ['2026-01-31'] })
    await client.ask('cancelBackup', { params: ['none'] })
    expect(await client.misfits()).toEqual([])
  })
})
