import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { json } from './bad-case.fixture.ts'
import { type Answer, requestBytes, seen, sendRaw, startEdge, type TestEdge } from './edge.fixture.ts'
import type { EdgeLimits } from './limits.ts'

/* B51 and B52: clients that are slow, that take nothing, or that send too much ahead. */

const edges: TestEdge[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const edge of edges.splice(0)) await edge.stop()
})

async function edgeWith(limits: Partial<EdgeLimits>): Promise<TestEdge> {
  const edge = await startEdge({ limits })
  edges.push(edge)
  return edge
}

/** Sends the bytes in pieces, one every `everyMs`, as long as the connection takes them. */
const drip = (bytes: Buffer, pieces: number, everyMs: number) => async (socket: Socket) => {
  const size = Math.ceil(bytes.length / pieces)
  for (let at = 0; at < bytes.length && !socket.destroyed && !socket.readableEnded; at += size) {
    socket.write(bytes.subarray(at, at + size))
    await delay(everyMs)
  }
}

/** The status and the code of each answer, in the order in which they came. */
function answersOf({ raw }: Answer): string[] {
  return [...raw.matchAll(/HTTP\/1\.1 (\d{3})(?:(?!HTTP\/1\.1 )[\s\S])*/g)].map(
    ([text, status]) => `${status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? ''}`,
  )
}

const isTimeout = (answer: Answer): void => {
  expect(answersOf(answer)).toEqual(['408 REQUEST_TIMEOUT'])
  expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json', connection: 'close' })
  expect(answer.closed, 'closed by the server').toBe(true)
}

const item = { target: '/v1/items/1', method: 'GET' }
const body = JSON.stringify({ name: 'x'.repeat(2_000) })

describe('B51: a client that sends slowly', () => {
  it.each([
    ['is silent after the first byte', Buffer.from('P')],
    ['is silent in the middle of the headers', requestBytes({ lines: ['X-Long: 1'] }).subarray(0, 60)],
  ])('its headers: %s', async (_, bytes) => {
    const edge = await edgeWith({ headersTimeoutMs: 300 })
    const answer = await sendRaw(edge.port, bytes, 5_000)
    isTimeout(answer)
    expect(answer.ms).toBeGreaterThan(250)
  })

  it('its headers, a few bytes at a time: each of them buys it no time', async () => {
    const edge = await edgeWith({ headersTimeoutMs: 300 })
    const head = requestBytes({ ...item, lines: [`X-Long: ${'x'.repeat(4_000)}`] })
    isTimeout(await sendRaw(edge.port, drip(head, 100, 50), 5_000))
  })

  it.each(['/v1/events', '/v1/items'])('its body at %s, a few bytes at a time', async (target) => {
    const edge = await edgeWith({ bodyTimeoutMs: 300 })
    const before = seen.events
    isTimeout(await sendRaw(edge.port, drip(requestBytes({ target, lines: [json], body }), 100, 50), 5_000))
    const chunked = requestBytes({ target, lines: [json, 'Transfer-Encoding: chunked'], body: '5\r\n{"nam\r\n' })
    isTimeout(await sendRaw(edge.port, chunked, 5_000))
    expect(seen.events).toBe(before)
  })

  it('its second request on a connection', async () => {
    const edge = await edgeWith({ headersTimeoutMs: 300 })
    const answer = await sendRaw(edge.port, Buffer.concat([requestBytes(item), Buffer.from('GET /v1/it')]), 5_000)
    expect(answersOf(answer)).toEqual(['200 ', '408 REQUEST_TIMEOUT'])
    expect(answer.closed).toBe(true)
  })

  it('its next request, for too long: an idle connection is closed without a word', async () => {
    const edge = await edgeWith({ keepAliveMs: 300 })
    const answer = await sendRaw(edge.port, requestBytes(item), 5_000)
    expect([answersOf(answer), answer.closed]).toEqual([['200 '], true])
  })
})

describe('B51: a client that takes nothing', () => {
  it.each([
    ['a stream', '/v1/stream'],
    ['a large answer', '/v1/big'],
  ])('of %s is cut, and its handler ends', async (_, target) => {
    const edge = await edgeWith({ stallMs: 300 })
    const before = { ...seen }
    const socket = connect(edge.port, '127.0.0.1')
    sockets.push(socket)
    const cut = new Promise<void>((resolve) => socket.on('error', () => resolve()).on('close', () => resolve()))
    socket.pause()
    socket.write(requestBytes({ ...item, target }))
    if (target === '/v1/stream') await vi.waitFor(() => expect(seen.streamEnded).toBe(before.streamEnded + 1), 10_000)
    await vi.waitFor(async () => expect(await openRequests(edge)).toBe(1), 10_000)
    // What lies in the buffers comes, and then no proper end.
    socket.resume()
    await cut
  })

  it('but takes a little now and then gets all of it', async () => {
    const edge = await edgeWith({ stallMs: 1_500 })
    const socket = connect(edge.port, '127.0.0.1')
    sockets.push(socket)
    let bytes = 0
    socket.on('data', (chunk) => {
      bytes += chunk.length
      socket.pause()
      setTimeout(() => socket.resume(), 20)
    })
    socket.write(requestBytes({ ...item, target: '/v1/big', lines: ['Connection: close'] }))
    await new Promise((resolve) => socket.on('end', resolve))
    expect(bytes).toBeGreaterThan(8_000_000)
  })
})

describe('B52: many requests on one connection', () => {
  it('more than may be sent ahead are refused, and nothing after that is looked at', async () => {
    const edge = await edgeWith({ maxPipelined: 4 })
    const before = { ...seen }
    const hang = requestBytes({ ...item, target: '/v1/hang' })
    const event = requestBytes({ lines: [json], body })
    const flood = Buffer.concat([...Array.from({ length: 4 }, () => hang), ...Array.from({ length: 500 }, () => event)])
    const answer = await sendRaw(edge.port, flood, 5_000)
    expect(answersOf(answer)).toEqual([...Array(4).fill('504 DEADLINE_EXCEEDED'), '503 OVERLOADED'])
    expect(answer.raw.match(/retry-after: 1/gi)).toHaveLength(1)
    expect(answer.closed).toBe(true)
    expect(seen.events).toBe(before.events)
    expect(seen.aborted).toBe(before.aborted + 4)
  })

  it('as many as may be sent ahead are all answered', async () => {
    const edge = await edgeWith({ maxPipelined: 4 })
    const answer = await sendRaw(edge.port, Buffer.concat(Array.from({ length: 4 }, () => requestBytes(item))))
    expect([answersOf(answer), answer.closed]).toEqual([Array(4).fill('200 '), false])
  })

  it('the last one that a connection may carry ends it; a client that sent more ahead has no answer, and no effect', async () => {
    const edge = await edgeWith({ maxRequestsPerSocket: 3 })
    const before = seen.events
    const event = requestBytes({ lines: [json], body })
    const answer = await sendRaw(edge.port, Buffer.concat(Array.from({ length: 6 }, () => event)), 5_000)
    expect([answersOf(answer), answer.closed]).toEqual([Array(3).fill('202 '), true])
    expect(answer.raw.match(/connection: close/gi)).toHaveLength(1)
    expect(seen.events).toBe(before + 3)
  })

  it('a caller that leaves is seen by what it had asked for', async () => {
    const edge = await edgeWith({})
    const before = seen.aborted
    const socket = connect(edge.port, '127.0.0.1')
    sockets.push(socket)
    socket.write(requestBytes({ ...item, target: '/v1/hang' }))
    await vi.waitFor(async () => expect(await openRequests(edge)).toBe(2))
    socket.destroy()
    await vi.waitFor(() => expect(seen.aborted).toBe(before + 1))
  })

  it('connections beyond the limit are closed at once; those that are there are served', async () => {
    const edge = await edgeWith({ maxConnections: 2 })
    const first = connect(edge.port, '127.0.0.1')
    sockets.push(first)
    first.write(requestBytes(item))
    await new Promise((resolve) => first.once('data', resolve))
    const second = connect(edge.port, '127.0.0.1')
    sockets.push(second)
    second.write(requestBytes(item))
    await new Promise((resolve) => second.once('data', resolve))
    expect((await sendRaw(edge.port, requestBytes(item), 5_000)).closed).toBe(true)
    first.write(requestBytes(item))
    await new Promise((resolve) => first.once('data', resolve))
  })
})

/** Those of the question itself included. */
async function openRequests(edge: TestEdge): Promise<number> {
  const text = await (await fetch(`${edge.url}/metrics`)).text()
  return Number(/^http_server_active_requests (\d+)$/m.exec(text)?.[1])
}
