import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import express from 'express'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { sqliteSql } from '../demo/sqlite.ts'
import { barrierTable, type Handler, type ParticipantOptions, participant } from './index.ts'
import { sign, signingKey } from './signature.ts'

const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const older = `whsec_${Buffer.alloc(32, 2).toString('base64')}`

let db: DatabaseSync
let server: Server | undefined
let url: string
const onError = vi.fn()

beforeEach(() => {
  db = new DatabaseSync(':memory:')
  db.exec(barrierTable('sqlite'))
  onError.mockClear()
})

afterEach(() => {
  server?.close()
  server?.closeAllConnections()
  db.close()
})

async function listen(listener: RequestListener): Promise<void> {
  server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const kit = (options: Partial<ParticipantOptions<DatabaseSync>> = {}) =>
  participant({ sql: sqliteSql(db), onError, ...options })

interface Sent {
  readonly headers?: Record<string, string | undefined>
  readonly body?: string
  readonly signedWith?: string
}

async function send({ headers, body = '{"a":1}', signedWith }: Sent = {}) {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const all: Record<string, string | undefined> = {
    'content-type': 'application/json',
    'idempotency-key': 'key',
    'splitstream-saga': 'saga',
    'splitstream-step': 'step',
    'splitstream-operation': 'do',
    'splitstream-fencing-token': '1',
    ...(signedWith && {
      'webhook-id': 'id',
      'webhook-timestamp': timestamp,
      'webhook-signature': sign(signingKey(signedWith), 'id', timestamp, Buffer.from(body)),
    }),
    ...headers,
  }
  const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const response = await fetch(`${url}/x?y=1`, { method: 'POST', headers: given, body })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text && (JSON.parse(text) as object) }
}

const echo: Handler<DatabaseSync> = (_, call) => ({
  status: 201,
  headers: { location: '/1' },
  body: { ...call, fence: String(call.fence) },
})

describe('a participant', () => {
  it('hands the call to its effect and answers with what that says', async () => {
    await listen(kit().handle({ do: echo }))
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const { status, headers, body } = await send({ headers: { traceparent } })
    expect(status).toBe(201)
    expect(headers.get('location')).toBe('/1')
    expect(headers.get('content-type')).toBe('application/json')
    const call = { saga: 'saga', step: 'step', operation: 'do', key: 'key', fence: '1', target: 'POST /x?y=1' }
    expect(body).toEqual({ ...call, body: { a: 1 }, traceparent })
    expect((await send()).headers.get('idempotent-replayed')).toBe('true')
  })

  it('answers 204 when nothing is said, and 405 to the undo of what cannot be undone', async () => {
    await listen(kit().handle({ do: () => undefined }))
    expect(await send()).toMatchObject({ status: 204, body: '' })
    expect(await send({ headers: { 'splitstream-operation': 'undo' } })).toMatchObject({
      status: 405,
      body: { code: 'NO_UNDO' },
    })
  })

  it('answers 500 to what throws, tells onError, and keeps nothing', async () => {
    const effect = vi.fn(echo).mockImplementationOnce(() => {
      throw new Error('mine')
    })
    await listen(kit().handle({ do: effect }))
    expect(await send()).toMatchObject({ status: 500, body: { code: 'INTERNAL' } })
    expect(onError).toHaveBeenCalledWith(new Error('mine'))
    expect(await send()).toMatchObject({ status: 201 })
  })

  it.each([{ status: 0 }, { status: 700 }, { status: 200, headers: { 'x-a': 'a\nb' } }, { status: 200, body: 1n }])(
    'keeps nothing of an answer that cannot be sent, %#',
    async (reply) => {
      await listen(kit().handle({ do: vi.fn(echo).mockReturnValueOnce(reply) }))
      expect(await send()).toMatchObject({ status: 500 })
      expect(await send()).toMatchObject({ status: 201 })
    },
  )

  it.each([
    'idempotency-key',
    'splitstream-saga',
    'splitstream-step',
    'splitstream-operation',
    'splitstream-fencing-token',
  ])('needs %s', async (name) => {
    await listen(kit().handle({ do: echo }))
    for (const value of [undefined, '', 'é'.repeat(300)]) {
      const { status, body } = await send({ headers: { [name]: value } })
      expect({ status, body }).toMatchObject({ status: 400, body: { code: 'HEADER_INVALID' } })
    }
  })

  it('takes no effect when the time that the caller waits is over', async () => {
    const slow: Handler<DatabaseSync> = async (_, { until }) => {
      await vi.waitUntil(() => performance.now() > (until ?? 0))
      return { status: 200 }
    }
    await listen(kit().handle({ do: vi.fn(slow).mockResolvedValueOnce({ status: 200 }) }))
    const within = (timeout: string, saga: string) =>
      send({ headers: { 'request-timeout': timeout, 'splitstream-saga': saga } })
    expect(await within('60000ms', 'quick')).toMatchObject({ status: 200 })
    expect(await within('30ms', 'slow')).toMatchObject({ status: 503, body: { code: 'TOO_LATE' } })
    // What is not to be understood bounds nothing.
    expect(await within('soon', 'unbounded')).toMatchObject({ status: 200 })
  })

  it('refuses a body that is no JSON, or too large', async () => {
    await listen(kit({ maxBodyBytes: 10 }).handle({ do: echo }))
    expect(await send({ body: '{' })).toMatchObject({ status: 400, body: { code: 'BODY_MALFORMED' } })
    expect(await send({ body: '"123456789"' })).toMatchObject({ status: 413 })
    expect(await send({ body: '' })).toMatchObject({ status: 201 })
  })

  it('believes any of its secrets, and nobody else', async () => {
    await listen(kit({ secret: [secret, older] }).handle({ do: echo }))
    expect(await send()).toMatchObject({ status: 401, body: { code: 'SIGNATURE_INVALID' } })
    expect(await send({ signedWith: `whsec_${Buffer.alloc(32, 3).toString('base64')}` })).toMatchObject({ status: 401 })
    expect(await send({ signedWith: secret })).toMatchObject({ status: 201 })
    expect(await send({ signedWith: older })).toMatchObject({ status: 201 })
    expect(() => kit({ secret: 'weak' })).toThrow(RangeError)
  })

  it('fails on request only where that is allowed', async () => {
    const headers = { 'splitstream-fault': 'after-effect' }
    await listen(kit().handle({ do: echo }))
    expect(await send({ headers })).toMatchObject({ status: 201 })
    server?.close()
    await listen(kit({ faults: true }).handle({ do: echo }))
    expect(await send({ headers: { ...headers, 'splitstream-saga': 'another' } })).toMatchObject({ status: 500 })
  })
})

describe('in Express', () => {
  const handler = () => kit({ secret }).handle({ do: echo, undo: echo })

  it('reads the body itself', async () => {
    await listen(express().post('/x', handler()))
    expect(await send({ signedWith: secret })).toMatchObject({ status: 201, body: { target: 'POST /x?y=1' } })
  })

  it.each([
    ['express.raw', () => express.raw({ type: () => true })],
    ['kept bytes', () => express.json({ verify: (request, _, rawBody) => void Object.assign(request, { rawBody }) })],
  ])('takes the bytes of %s', async (_, parser) => {
    await listen(express().use(parser()).use('/x', handler()))
    expect(await send({ signedWith: secret })).toMatchObject({ status: 201, body: { target: 'POST /x?y=1' } })
  })

  it('says how to mount it when the bytes are gone', async () => {
    await listen(express().use(express.json()).post('/x', handler()))
    expect(await send({ signedWith: secret })).toMatchObject({ status: 500 })
    expect(String(onError.mock.lastCall?.[0])).toContain('before express.json()')
  })

  it('takes the parsed body when nothing is signed', async () => {
    await listen(
      express()
        .use(express.json())
        .post('/x', kit().handle({ do: echo })),
    )
    expect(await send()).toMatchObject({ status: 201, body: { body: { a: 1 } } })
  })
})
