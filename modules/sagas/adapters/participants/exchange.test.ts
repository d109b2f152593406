import { createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import type { Outcome, Outgoing } from '../../app/participants.ts'
import { never, outgoing, participants } from './participants.fixture.ts'
import type { ParticipantsDeps } from './participants.ts'
import { answer, type Behaviour, type RawServer, rawServer } from './raw-server.fixture.ts'

let server: RawServer
let calls: ReturnType<typeof participants>

async function start(behave: Behaviour, given: Partial<ParticipantsDeps> = {}) {
  server = await rawServer(behave)
  calls = participants(given)
  return (request: Partial<Outgoing> = {}, signal = never): Promise<Outcome> =>
    calls.call(outgoing(server.url, request), signal)
}

afterEach(async () => {
  await calls.close()
  await server.close()
})

const answered = (status: number, rest: object = {}) => expect.objectContaining({ kind: 'answered', status, ...rest })
const unusable = (status: number, why: string) => answered(status, { unusable: expect.stringContaining(why) })
const cutOff = (status: number, why: string) => answered(status, { unusable: expect.stringContaining(why), cut: true })
const unknown = (why = '') => ({ kind: 'unknown', why: expect.stringContaining(why) })
const refused = (why = '') => ({ kind: 'refused', permanent: false, why: expect.stringContaining(why) })

const ok = answer('200 OK', '{"id":"ch_1"}')
const say = (text: string): Behaviour => {
  return (socket) => void socket.write(text, 'latin1')
}
const sayAndClose = (text: string): Behaviour => {
  return (socket) => void socket.end(text, 'latin1')
}
/** Late enough: what was not read when a reset comes is lost. */
const sayAndReset = (text: string): Behaviour => {
  return (socket) => void socket.write(text, 'latin1', () => setTimeout(() => socket.resetAndDestroy(), 150))
}

describe('an answer', () => {
  it('comes with status, headers and parsed body', async () => {
    const call = await start(say(ok))
    expect(await call()).toEqual({
      kind: 'answered',
      status: 200,
      headers: { 'content-type': 'application/json', 'content-length': '13' },
      body: { id: 'ch_1' },
    })
  })

  it('of any status is an answer; redirects are not followed', async () => {
    for (const status of [201, 299, 301, 302, 307, 308, 400, 404, 409, 422, 429, 500, 503, 599]) {
      const call = await start(say(answer(`${status} Whatever`, '', 'location: http://127.0.0.1:1/\r\n')))
      expect(await call(), String(status)).toEqual(answered(status))
      expect(server.requests).toHaveLength(1)
      await calls.close()
      await server.close()
    }
  })

  it('without a body has none', async () => {
    const answers = [
      'HTTP/1.1 204 No Content\r\n\r\n',
      'HTTP/1.1 304 Not Modified\r\ncontent-length: 17\r\n\r\n',
      answer('200 OK', ''),
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ]
    const call = await start((socket) => void socket.write(answers.shift()!))
    for (const status of [204, 304, 200, 200]) {
      const outcome = await call()
      expect(outcome).toEqual(answered(status))
      expect(outcome).not.toHaveProperty('body')
      expect(outcome).not.toHaveProperty('unusable')
    }
  })

  it('may be of HTTP/1.0, chunked, in pieces, or end with the connection', async () => {
    const inPieces: Behaviour = (socket) => {
      ok.split('').forEach((byte, i) => {
        setTimeout(() => socket.write(byte), i)
      })
    }
    const chunked = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'
    const behaviours: Behaviour[] = [
      sayAndClose('HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{"id":"ch_1"}'),
      sayAndClose('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"id":"ch_1"}'),
      say(`${chunked}7\r\n{"id":"\r\n6;x=y\r\nch_1"}\r\n0\r\ntrailer: 1\r\n\r\n`),
      inPieces,
    ]
    const call = await start((socket, request) => behaviours.shift()!(socket, request))
    for (let n = behaviours.length; n > 0; n--) expect(await call()).toEqual(answered(200, { body: { id: 'ch_1' } }))
  })

  it('may follow on early hints', async () => {
    const call = await start(say(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${ok}`))
    expect(await call()).toEqual(answered(200, { body: { id: 'ch_1' } }))
  })

  it('joins repeated headers', async () => {
    const call = await start(say('HTTP/1.1 200 OK\r\nx-a: 1\r\nx-a: 2\r\ncontent-length: 0\r\n\r\n'))
    expect(await call()).toEqual(answered(200, { headers: { 'x-a': '1, 2', 'content-length': '0' } }))
  })
})

describe('an answer whose body cannot be used', () => {
  it.each([
    ['too large by its length', 'HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n', 'larger than 1000 bytes'],
    ['too large as it comes', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(1_001)}`, 'larger than 1000 bytes'],
    ['not JSON', answer('200 OK', '{"id":'), 'not JSON'],
    ['encoded', answer('200 OK', 'x', 'content-encoding: gzip\r\n'), 'encoded (gzip)'],
  ])('has its status, and is whole: %s', async (_, text, why) => {
    const call = await start(say(text), { limits: { maxAnswerBytes: 1_000 } })
    const outcome = await call()
    expect(outcome).toEqual(unusable(200, why))
    expect(outcome).not.toHaveProperty('cut')
  })

  it.each([
    ['closed within its length', sayAndClose('HTTP/1.1 201 Created\r\ncontent-length: 20\r\n\r\n{"id"'), 201],
    ['reset within its length', sayAndReset('HTTP/1.1 500 Oh\r\ncontent-length: 20\r\n\r\n{"id"'), 500],
    ['closed within chunks', sayAndClose('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"id'), 200],
    [
      'reset within chunks, not to be kept alive',
      sayAndReset('HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"id'),
      200,
    ],
    ['reset at once after its headers', sayAndReset('HTTP/1.1 409 Conflict\r\ncontent-length: 20\r\n\r\n'), 409],
    ['chunked garbage', say('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzzz\r\n'), 200],
  ])('has its status, and was cut off: %s', async (_, behave, status) => {
    const call = await start(behave)
    expect(await call()).toEqual(cutOff(status, 'the body is not complete'))
  })

  it('has its status when the body drips until the time is over', async () => {
    const call = await start((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n')
      const drip = setInterval(() => socket.write('x'), 10)
      socket.on('close', () => clearInterval(drip))
    })
    const from = performance.now()
    expect(await call({ timeoutMs: 200 })).toEqual(cutOff(200, 'the body is not complete: 200 ms are over'))
    expect(performance.now() - from).toBeLessThan(1_500)
  })

  it('ends the connection, so that no other call gets the rest', async () => {
    const answers = [`HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n${'x'.repeat(4_000)}`, ok]
    const call = await start((socket) => void socket.write(answers.shift()!), { limits: { maxAnswerBytes: 1_000 } })
    expect(await call()).toEqual(unusable(200, 'larger'))
    expect(await call()).toEqual(answered(200, { body: { id: 'ch_1' } }))
    expect(server.connections()).toBe(2)
  })

  it('asks for no encoding', async () => {
    const gzipped: Behaviour = (socket, request) => {
      const body = request.includes('accept-encoding: identity') ? Buffer.from('{}') : gzipSync('{}')
      socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`)
      socket.write(body)
    }
    const call = await start(gzipped)
    expect(await call()).toEqual(answered(200, { body: {} }))
  })
})

describe('an unknown outcome', () => {
  it.each([
    ['nothing before the time is over', () => {}, '200 ms are over'],
    ['closed without an answer', (socket: Socket) => void socket.end(), 'other side closed'],
    ['reset without an answer', (socket: Socket) => void socket.resetAndDestroy(), ''],
    ['half a status line', sayAndClose('HTTP/1.1 20'), ''],
    ['half of the headers', sayAndClose('HTTP/1.1 200 OK\r\ncontent-le'), ''],
    ['half of the headers, reset', sayAndReset('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n'), ''],
    ['half of the headers, then silence', say('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n'), '200 ms are over'],
    ['only hints', sayAndClose('HTTP/1.1 103 Early Hints\r\n\r\n'), ''],
    ['no HTTP', say('SSH-2.0-OpenSSH_9.9\r\n'), ''],
    ['no status', say('HTTP/1.1 abc\r\n\r\n'), ''],
    ['a length that is none', say('HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n'), ''],
    ['headers without end', say(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(20_000)}`), 'Headers Overflow'],
    [
      'a protocol nobody asked for',
      say('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
      '',
    ],
    // RFC 9110 has clients bear it; undici does not, and the request may have been taken.
    ['100 Continue, though nobody asked', say(`HTTP/1.1 100 Continue\r\n\r\n${ok}`), 'bad response'],
  ])('is that of %s', async (_, behave, why) => {
    const call = await start(behave)
    expect(await call({ timeoutMs: 200 })).toEqual(unknown(why))
    expect(server.requests).toHaveLength(1)
    await delay(50)
    expect(server.requests, 'sent once').toHaveLength(1)
  })

  it('is that of a kept connection which the server closes as the next request comes; it is not sent again', async () => {
    for (const method of ['POST', 'GET', 'PUT', 'DELETE'] as const) {
      let first = true
      const call = await start((socket) => {
        if (first) socket.write(ok)
        else socket.resetAndDestroy()
        first = false
      })
      expect(await call({ method, body: undefined })).toEqual(answered(200))
      await delay(10)
      expect(await call({ method, body: undefined })).toEqual(unknown())
      await delay(50)
      expect([server.requests.length, server.connections()]).toEqual([2, 1])
      await calls.close()
      await server.close()
    }
  })

  it('is not that of a kept connection which the server closed before: another one is made', async () => {
    const call = await start((socket) => void socket.write(ok, () => setTimeout(() => socket.end(), 5)))
    for (let i = 0; i < 3; i++) {
      expect(await call()).toEqual(answered(200))
      await delay(30)
    }
    expect(server.connections()).toBe(3)
  })

  it('is that of a call which is aborted, at once', async () => {
    const begun = Promise.withResolvers<void>()
    const closed = Promise.withResolvers<void>()
    const call = await start((socket) => {
      begun.resolve()
      socket.on('close', closed.resolve)
    })
    const abort = new AbortController()
    const outcome = call({}, abort.signal)
    await begun.promise
    const from = performance.now()
    abort.abort()
    expect(await outcome).toEqual({ kind: 'unknown', why: 'no answer: aborted' })
    await closed.promise
    expect(performance.now() - from).toBeLessThan(1_000)
  })

  it('is that of a call which is aborted within the body', async () => {
    const begun = Promise.withResolvers<void>()
    const call = await start(
      (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n', () => begun.resolve()),
    )
    const abort = new AbortController()
    const outcome = call({}, abort.signal)
    await begun.promise
    await delay(20)
    abort.abort()
    expect(await outcome).toEqual(unknown('aborted'))
  })

  it('is that of calls which run when all is closed', async () => {
    const begun = Promise.withResolvers<void>()
    const call = await start(() => begun.resolve())
    const outcome = call()
    await begun.promise
    await calls.close()
    expect(await outcome).toEqual(unknown())
    expect(await call()).toEqual(refused())
  })
})

describe('a refused call', () => {
  it('is one that nobody listens for', async () => {
    const call = await start(() => {})
    await server.close()
    expect(await call()).toEqual(refused('ECONNREFUSED'))
  })

  it('is one to a host that does not exist', async () => {
    const call = await start(() => {})
    expect(await call({ url: 'https://no-such-host.invalid/' })).toEqual(
      refused('no connection to https://no-such-host.invalid: E'),
    )
  })

  it('is one that was aborted before', async () => {
    const call = await start(() => {})
    expect(await call({}, AbortSignal.abort())).toEqual(refused('aborted'))
    expect(server.connections()).toBe(0)
  })

  it('is one whose connection is not made in time, or aborted before; it is not sent later', async () => {
    // The name is found after 150 ms.
    const lookup = async () => {
      await delay(150)
      return [{ address: '127.0.0.1', family: 4 }]
    }
    const call = await start(say(ok), { lookup, egress: { allow: ['late.test'] } })
    const url = `http://late.test:${server.port}/`
    const abort = new AbortController()
    const [late, aborted] = [call({ url, timeoutMs: 50 }), call({ url }, abort.signal)]
    await delay(50)
    abort.abort()
    expect(await late).toEqual(refused(`no connection to http://late.test:${server.port}: 50 ms are over`))
    expect(await aborted).toEqual(refused('aborted'))
    await delay(250)
    expect(server.requests).toHaveLength(0)
    expect(await call({ url })).toEqual(answered(200))
  })

  it('is one to a server whose TLS fails: no byte of the request was sent', async () => {
    const seen: Buffer[] = []
    const plain = createServer((socket) => {
      socket.on('data', (chunk) => seen.push(chunk)).on('error', () => {})
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    const call = await start(() => {})
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
    const { port } = plain.address() as { port: number }
    expect(await call({ url: `https://127.0.0.1:${port}/` })).toEqual(refused())
    expect(Buffer.concat(seen).toString('latin1')).not.toContain('charge')
    plain.close()
  })
})
