import { EventEmitter, once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Rests } from './rests.ts'

/** Rests of a server with so many connections. */
function restsWith(connections: number): Rests {
  const rests = new Rests()
  const server = new EventEmitter() as Server
  rests.watch(server)
  for (let i = 0; i < connections; i++) server.emit('connection', new EventEmitter())
  return rests
}

it('are longer the more connections there are, within bounds', () => {
  expect([0, 10, 200, 100_000].map((n) => restsWith(n).ms)).toEqual([20, 20, 200, 5_000])
})

it('grow until refusals take a small part of the time, and shrink again', () => {
  const rests = restsWith(100)
  // What they take falls as rests grow: so it is at 30 % with rests of 100 ms.
  const share = (): number => (0.3 * 100) / rests.ms
  for (let i = 0; i < 20; i++) rests.adapt(share())
  expect(share()).toBeCloseTo(0.03)
  for (let i = 0; i < 20; i++) rests.adapt(0)
  expect(rests.ms).toBe(100)
})

it.each(['', 'abc'])('tell requests that did not wait for the end of a rest (body %j)', async (body) => {
  const rests = new Rests()
  const seen: boolean[] = []
  const server = createServer((request, response) => {
    seen.push(rests.interrupted(request.socket))
    rests.after(request, response, 1_000)
    response.end()
  })
  rests.watch(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const ask = async (): Promise<void> => {
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    await once(client, 'data')
  }
  for (let i = 0; i < 5; i++) await ask()
  for (let i = 0; i < 5; i++) {
    await delay(100) // longer than the rest of one connection
    await ask()
  }
  expect(seen).toEqual([false, true, true, true, true, false, false, false, false, false])
  client.destroy()
  server.close()
})
