import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { silentLogger, systemClock } from '@splitstream/kernel'
import { afterEach, expect, it, vi } from 'vitest'
import { freePorts } from '../../../test/support/kafka/ports.ts'
import { Brokers } from './brokers.ts'
import { plainAccess } from './kafka.fixture.ts'
import { Reachability } from './reachability.ts'

const ends: (() => unknown)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** Answers as a broker does to its first question, as far as anybody looks. */
async function answering(port: number): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end('answer'))
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => server.close())
  return server
}

it('is lost only when no broker answers, and found again by itself', async () => {
  const [one, other] = (await freePorts(2)) as [number, number]
  const brokers = [`127.0.0.1:${one}`, `127.0.0.1:${other}`]
  const reachability = new Reachability(new Brokers(brokers), plainAccess(), systemClock, silentLogger)
  ends.push(() => reachability.stop())
  const server = await answering(other)
  const { lost } = reachability
  reachability.suspect()
  await systemClock.sleep(200)
  expect(reachability.isLost).toBe(false)
  await new Promise((resolve) => server.close(resolve))
  reachability.suspect()
  await vi.waitFor(() => expect(lost.aborted).toBe(true))
  expect(reachability.isLost).toBe(true)
  const never = new AbortController()
  const back = reachability.untilBack(never.signal)
  const given = new AbortController()
  const givenUp = reachability.untilBack(given.signal)
  given.abort()
  await givenUp
  await answering(one)
  await back
  expect(reachability.isLost).toBe(false)
  expect(reachability.lost.aborted).toBe(false)
})

it('asks brokers, too, that only the cluster has named', async () => {
  const [dead, other] = (await freePorts(2)) as [number, number]
  const brokers = new Brokers([`127.0.0.1:${dead}`])
  const member = { nodeId: 2, host: '127.0.0.1', port: other }
  await brokers.learn({ describeCluster: async () => ({ brokers: [member], controller: 2, clusterId: 'c' }) })
  const reachability = new Reachability(brokers, plainAccess(), systemClock, silentLogger)
  ends.push(() => reachability.stop())
  reachability.suspect()
  await vi.waitFor(() => expect(reachability.isLost).toBe(true))
  const back = reachability.untilBack(new AbortController().signal)
  await answering(other)
  await back
  expect(reachability.isLost).toBe(false)
})

it('looks no more once it is stopped', async () => {
  const [port] = await freePorts(1)
  const reachability = new Reachability(new Brokers([`127.0.0.1:${port}`]), plainAccess(), systemClock, silentLogger)
  reachability.suspect()
  await vi.waitFor(() => expect(reachability.isLost).toBe(true))
  reachability.stop()
  await answering(port!)
  await systemClock.sleep(700)
  expect(reachability.isLost).toBe(true)
})
