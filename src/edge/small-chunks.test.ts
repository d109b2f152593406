import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { retainedBytes } from '../kernel/retained-bytes.fixture.ts'
import { readBody } from './body.ts'
import { requestBytes, sendRaw, startEdge, type TestEdge } from './edge.fixture.ts'
import { InFlight } from './in-flight.ts'

let edge: TestEdge | undefined
afterEach(async () => {
  await edge?.stop()
  edge = undefined
})

const mebibyte = 1 << 20
const lines = ['Content-Type: application/octet-stream', 'Transfer-Encoding: chunked']

/** Each byte as a chunk of its own, in pieces of about 64 KiB. */
function* single(bytes: Uint8Array): Generator<Buffer> {
  for (let from = 0; from < bytes.length; from += 10_000) {
    const piece = bytes.subarray(from, from + 10_000)
    const wire = Buffer.alloc(6 * piece.length, '1\r\nx\r\n')
    for (const [i, byte] of piece.entries()) wire[6 * i + 3] = byte
    yield wire
  }
}

/** Sends all that, and then waits until `isThere`. Gives the answer. */
async function send(head: Buffer, bytes: Uint8Array, isThere: () => boolean): Promise<string> {
  const socket = connect(edge?.port ?? 0, '127.0.0.1').setEncoding('latin1')
  try {
    socket.write(head)
    for (const piece of single(bytes)) if (!socket.write(piece)) await once(socket, 'drain')
    while (!isThere()) await delay(20)
    socket.write('0\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [string]
    return answer
  } finally {
    socket.destroy()
  }
}

describe('a body in chunks of one byte', () => {
  it('takes no more memory than it is counted for, about', async () => {
    const inFlight = new InFlight(8 * mebibyte)
    edge = await startEdge({ inFlight, limits: { maxBodyBytes: 4 * mebibyte, bodyTimeoutMs: 60_000 } })
    let answer = ''
    const retained = await retainedBytes(async () => {
      answer = await send(requestBytes({ lines }), Buffer.alloc(600_000, 'x'), () => inFlight.bytes === 600_000)
    })
    expect(answer).toContain('"length":600000')
    expect(retained).toBeLessThan(16 * mebibyte)
  })

  it('is decoded, and the decoder keeps no queue of them', async () => {
    const inFlight = new InFlight(8 * mebibyte)
    edge = await startEdge({ inFlight, limits: { maxBodyBytes: 4 * mebibyte, bodyTimeoutMs: 60_000 } })
    const body = Buffer.from(Array.from({ length: 30_000 }, () => Math.random().toString(36)).join(''))
    const sent = gzipSync(body)
    let answer = ''
    const retained = await retainedBytes(async () => {
      const head = requestBytes({ lines: [...lines, 'Content-Encoding: gzip'] })
      answer = await send(head, sent, () => inFlight.bytes > 0.9 * body.length)
    })
    expect(answer).toContain(`"length":${body.length}`)
    expect(retained).toBeLessThan(16 * mebibyte)
  })

  it('counts before it is decoded', async () => {
    edge = await startEdge({ inFlight: new InFlight(20_000) })
    // A member of a gzip file that begins with a name without end.
    const sent = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0]), Buffer.alloc(30_000, 'x')])
    const head = requestBytes({ lines: [...lines, 'Content-Encoding: gzip'] })
    expect((await sendRaw(edge.port, Buffer.concat([head, ...single(sent)]))).status).toBe(503)
  })

  it('is read to its end when it is too large, and thrown away: nothing of it waits for the end of the connection', async () => {
    const limits = { maxBytes: 1_000, maxCompressedBytes: 1_000 }
    const server = createServer(async (request, response) => {
      const end = once(request, 'end')
      await expect(readBody(request, response, limits, new InFlight(mebibyte)).bytes).rejects.toThrow('1000 bytes')
      await end
      response.end('read')
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const wire = [requestBytes({ lines }), ...single(Buffer.alloc(100_000, 'x')), Buffer.from('0\r\n\r\n')]
    expect((await sendRaw(port, Buffer.concat(wire))).body).toContain('read')
    server.close()
  })
})
