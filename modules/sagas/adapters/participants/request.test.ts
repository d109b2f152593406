import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Outgoing } from '../../app/participants.ts'
import { wrongSignature } from '../../kit/participant/signature.ts'
import { never, outgoing, participants, secret } from './participants.fixture.ts'
import { answer, headersOf, type RawServer, rawServer } from './raw-server.fixture.ts'
import { signatureVectors } from './signature.fixture.ts'
import { sign } from './signature.ts'

let server: RawServer
let calls: ReturnType<typeof participants>

beforeEach(async () => {
  server = await rawServer((socket) => void socket.write(answer('200 OK', '{}')))
  calls = participants()
})
afterEach(() => Promise.all([server.close(), calls.close()]))

const send = (request: Partial<Outgoing> = {}) => calls.call(outgoing(server.url, request), never)

/** The request as it came over the wire. */
async function sent(request: Partial<Outgoing> = {}) {
  expect(await send(request)).toEqual(expect.objectContaining({ status: 200 }))
  const text = server.requests.at(-1)!
  return { line: text.split('\r\n')[0], headers: headersOf(text), body: text.slice(text.indexOf('\r\n\r\n') + 4) }
}

describe('a request', () => {
  it('is this, and nothing more', async () => {
    const { line, headers, body } = await sent({
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    })
    expect(line).toBe('POST /charge HTTP/1.1')
    expect(body).toBe('{"amount":100}')
    expect(headers).toEqual({
      accept: 'application/json',
      'accept-encoding': 'identity',
      connection: 'keep-alive',
      'content-length': '14',
      'content-type': 'application/json',
      host: `127.0.0.1:${server.port}`,
      'idempotency-key': 'saga-1.charge.forward',
      'request-timeout': '2000ms',
      'splitstream-fencing-token': '42',
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      'user-agent': 'splitstream/1.2.3',
      'webhook-id': 'saga-1.charge.forward',
      'webhook-signature': expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/),
      'webhook-timestamp': expect.stringMatching(/^\d{10}$/),
    })
  })

  it('without a body has none, nor a type for it', async () => {
    const { headers, body } = await sent({ method: 'GET', body: undefined })
    expect(body).toBe('')
    expect(headers).not.toHaveProperty('content-type')
    expect(headers).not.toHaveProperty('content-length')
    expect(headers).not.toHaveProperty('traceparent')
  })

  it('can have any JSON value for a body', async () => {
    for (const value of [null, false, 0, '', [], 'ü\u2028"', { a: { b: ['💶'] } }]) {
      const { body } = await sent({ body: value })
      expect(JSON.parse(Buffer.from(body, 'latin1').toString())).toEqual(value)
    }
  })

  it('goes to the path and query of its URL, without the fragment', async () => {
    const { line } = await sent({ url: `${server.url}/a b/ü/../%2e%2e/c?d=e f#g` })
    expect(line).toBe('POST /c?d=e%20f HTTP/1.1')
  })

  it('has the headers of its definition, which win for Accept, Content-Type and User-Agent', async () => {
    const own = { Accept: 'text/plain', 'Content-Type': 'application/merge-patch+json', 'USER-AGENT': 'x' }
    const { headers } = await sent({ headers: { 'x-order': 'Zoë', Authorization: 'Bearer x', ...own, 'X-Empty': '' } })
    expect(headers).toEqual(
      expect.objectContaining({
        accept: 'text/plain',
        'content-type': 'application/merge-patch+json',
        'user-agent': 'x',
        'x-order': 'Zo\xeb',
        authorization: 'Bearer x',
        'x-empty': '',
      }),
    )
  })

  it.each([
    'Host',
    'content-length',
    'Transfer-Encoding',
    'connection',
    'Upgrade',
    'Expect',
    'Idempotency-Key',
    'Request-Timeout',
    'traceparent',
  ])('cannot have a %s of its definition', async (name) => {
    expect(await send({ headers: { [name]: 'x' } })).toEqual({
      kind: 'refused',
      permanent: true,
      why: `the header ${name} is set by Splitstream; remove it from the definition`,
    })
    expect(server.connections()).toBe(0)
  })

  it.each([
    ['a header value with CR and LF', { headers: { 'x-a': 'b\r\nhost: evil' } }, 'x-a'],
    ['a header value with LF', { headers: { 'x-a': 'b\nc' } }, 'x-a'],
    ['a header value with NUL', { headers: { 'x-a': 'b\0c' } }, 'x-a'],
    ['a header value that is not Latin-1', { headers: { 'x-a': '€' } }, 'x-a'],
    ['a header name with a colon', { headers: { 'x-a: b\r\nx': 'c' } }, 'token'],
    ['an empty header name', { headers: { '': 'c' } }, 'token'],
    ['a key with LF', { idempotencyKey: 'a\nb' }, 'idempotency-key'],
    ['a key that is not Latin-1', { idempotencyKey: '€' }, 'idempotency-key'],
    ['a trace with LF', { traceparent: 'a\nb' }, 'traceparent'],
    ['a user in the URL', { url: 'https://user@example.com/' }, 'Authorization'],
    ['a password in the URL', { url: 'https://:x@example.com/' }, 'Authorization'],
    ['no absolute URL', { url: '/charge' }, 'absolute'],
  ])('with %s is refused for good', async (_, request, why) => {
    expect(await send(request)).toEqual({ kind: 'refused', permanent: true, why: expect.stringContaining(why) })
    expect(server.connections()).toBe(0)
  })
})

describe('a signature', () => {
  it.each(signatureVectors)('is that of the vector $id, $body', ({ secret: text, id, timestamp, body, signature }) => {
    const key = Buffer.from(text.slice('whsec_'.length), 'base64')
    for (let i = 0; i < 2; i++) expect(sign([key], id, timestamp, body)).toBe(signature)
  })

  it('holds for the participant kit, over the bytes as they came', async () => {
    for (const body of [undefined, { name: 'Zoë 🚲' }]) {
      const { headers, body: bytes } = await sent({ body })
      const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = headers
      const given = { id, timestamp, signature }
      expect(wrongSignature([secret], given, Buffer.from(bytes, 'latin1'), Date.now())).toBeUndefined()
      expect(wrongSignature([secret], given, Buffer.from(`${bytes} `, 'latin1'), Date.now())).toContain(
        'does not match',
      )
    }
  })

  it('is by the secret of the tenant that calls', async () => {
    const secrets = new Map([
      ['acme', Buffer.alloc(32, 1)],
      ['other', Buffer.alloc(32, 2)],
    ])
    const both = participants({ secrets: (tenant) => [secrets.get(tenant)!] })
    for (const [tenant, key] of secrets) {
      await both.call(outgoing(server.url, { tenant }), never)
      const {
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': signature,
      } = headersOf(server.requests.at(-1)!)
      expect(signature).toBe(sign([key], id!, Number(timestamp), '{"amount":100}'))
    }
    await both.close()
  })

  it('is by both secrets while the tenant changes them, so that a kit with either takes it', async () => {
    const [now, before, another] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2), Buffer.alloc(32, 3)]
    const changing = participants({ secrets: () => [now, before] })
    await changing.call(outgoing(server.url), never)
    const request = server.requests.at(-1)!
    const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = headersOf(request)
    const bytes = Buffer.from(request.slice(request.indexOf('\r\n\r\n') + 4), 'latin1')
    const wrongFor = (secret: Buffer) => wrongSignature([secret], { id, timestamp, signature }, bytes, Date.now())
    expect([wrongFor(now), wrongFor(before)]).toEqual([undefined, undefined])
    expect(wrongFor(another)).toContain('does not match')
    await changing.close()
  })
})
