import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { retainedBytes } from '../../../../src/kernel/retained-bytes.fixture.ts'
import { never, outgoing, participants } from './participants.fixture.ts'
import { rawServer } from './raw-server.fixture.ts'

const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n'

it('an answer in chunks of one byte takes no more memory than it has bytes, about', async () => {
  const bytes = 1_000_000
  const piece = '1\r\nx\r\n'.repeat(10_000)
  const server = await rawServer(async (socket) => {
    socket.write(head)
    // Slower than they are read, so that they are looked at where they are kept.
    for (let sent = 0; sent < bytes; sent += 10_000) {
      await new Promise((resolve) => socket.write(piece, resolve))
      await delay(5)
    }
    socket.write('0\r\n\r\n')
  })
  const calls = participants()
  const retained = await retainedBytes(async () => {
    const outcome = await calls.call(outgoing(server.url, { timeoutMs: 50_000 }), never)
    expect(outcome).toMatchObject({ kind: 'answered', status: 200, body: expect.stringMatching(/^x{1000000}$/) })
  })
  expect(retained).toBeLessThan(16 << 20)
  await Promise.all([server.close(), calls.close()])
})
