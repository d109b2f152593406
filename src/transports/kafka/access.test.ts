import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type Logger, silentLogger, systemClock } from '@splitstream/kernel'
import { afterEach, expect, it } from 'vitest'
import { BrokerAccess } from './access.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** A port where each connection is answered once; what comes then is for `next`. */
async function answeringOnce(next: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      socket.write('an answer')
      next(socket)
    })
  }).listen(0, '127.0.0.1')
  cleanups.push(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Asks, and `more` once there is an answer; until the other side ends. */
async function talk(access: BrokerAccess, port: number, more: boolean): Promise<void> {
  const socket = access.connect('127.0.0.1', port, () => socket.write('a question'))
  socket.once('data', () => {
    if (more) socket.write('another')
  })
  await once(socket.resume(), 'close')
}

it('a connection that ends at the second question is one of a broker that wants a name, and said once', async () => {
  const told: string[] = []
  const logger: Logger = { ...silentLogger, error: (message) => void told.push(message) }
  const access = new BrokerAccess({ clock: systemClock, logger })
  const port = await answeringOnce((socket) => socket.once('data', () => socket.end()))
  for (let i = 0; i < 3; i++) await talk(access, port, true)
  expect(access.trouble).toMatch(/^broker 127\.0\.0\.1:\d+ ends the connection .*: set KAFKA_SASL_MECHANISM$/)
  await access.troubled
  expect(told).toEqual([`Kafka cannot be used: ${access.trouble}`])
})

it('one that ends while nothing is asked is that of a broker that stops', async () => {
  const access = new BrokerAccess({ clock: systemClock, logger: silentLogger })
  await talk(access, await answeringOnce((socket) => socket.end()), false)
  expect(access.trouble).toBeUndefined()
})

it('what was not seen for a while is over', async () => {
  let now = 0
  const clock = { ...systemClock, monotonic: () => now }
  const sasl = { mechanism: 'plain', username: 'shop', password: 'secret' } as const
  const access = new BrokerAccess({ clock, logger: silentLogger, sasl })
  access.refused('b1:9092', Object.assign(new Error('no'), { name: 'KafkaJSSASLAuthenticationError' }))
  expect(access.trouble).toContain('b1:9092 does not let in "shop"')
  now = 16_000
  expect(access.trouble).toBeUndefined()
  access.refused('b1:9092', new Error('something else'))
  expect(access.trouble).toBeUndefined()
})

it.each([
  'SASL SCRAM SHA512 authentication failed: Closed connection',
  'SASL PLAIN authentication failed: Connection error: read ECONNRESET',
  'SASL PLAIN authentication failed: Request SaslAuthenticate(key: 36, version: 1) timed out',
])('a connection that is lost on the way is no refusal: %s', (message) => {
  const sasl = { mechanism: 'scram-sha-512', username: 'shop', password: 'secret' } as const
  const access = new BrokerAccess({ clock: systemClock, logger: silentLogger, sasl })
  access.refused('b1:9092', Object.assign(new Error(message), { name: 'KafkaJSSASLAuthenticationError' }))
  expect(access.trouble).toBeUndefined()
})
