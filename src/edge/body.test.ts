import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { readBody } from './body.ts'
import { InFlight } from './in-flight.ts'

const limits = { maxBytes: 1 << 20, maxCompressedBytes: 1 << 20 }

/** Sends a body, and gives what was read of it and the chunks in which it came, as they are afterwards. */
async function sent(body: Buffer, headers: Record<string, string | number>) {
  const chunks: Buffer[] = []
  const read = Promise.withResolvers<Buffer>()
  const server = createServer(async (incoming, response) => {
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    const reading = readBody(incoming, response, limits, new InFlight(1 << 20))
    read.resolve(Buffer.from(await reading.bytes))
    reading.release()
    response.end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const client = request({ port, method: 'POST', headers })
  client.end(body)
  const [answer] = await once(client, 'response')
  await once(answer.resume(), 'end')
  server.close()
  return { bytes: await read.promise, chunks }
}

it('gives back the memory of chunks that were copied into one body, before the collector comes by', async () => {
  const body = randomBytes(300_000)
  const { bytes, chunks } = await sent(body, { 'content-length': body.length })
  expect(bytes.equals(body)).toBe(true)
  expect(chunks.length).toBeGreaterThan(2)
  expect(chunks.map(({ buffer }) => buffer.byteLength)).toEqual(chunks.map(() => 0))
})

it.each([
  ['of one chunk', 1_000, { 'content-length': 1_000 }],
  ['without a length', 300_000, { 'transfer-encoding': 'chunked' }],
])('keeps a body %s as it came', async (_name, size, headers) => {
  const body = randomBytes(size)
  const { bytes, chunks } = await sent(body, headers)
  expect(bytes.equals(body)).toBe(true)
  expect(Buffer.concat(chunks).equals(body)).toBe(true)
})
