import { createServer, type IncomingMessage, type RequestListener, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, expect, it } from 'vitest'
import type { Handshake } from '../../src/transports/http/server.ts'
import { startFleet } from '../support/fleet.ts'

const ends: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const end of ends.toReversed()) await end()
})

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(async () => server.closeAllConnections())
  ends.push(async () => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Stands before a process and says of its ports what an earlier version would, as long as `without` is set. */
const before = { target: '', without: undefined as string | undefined }

function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method, url, headers } = incoming
  if (before.target === '') return void outgoing.destroy()
  const onward = request(before.target + url, { method, headers }, (answer) => {
    const whole = before.without === undefined || url !== '/internal/ports'
    if (whole) return void answer.pipe(outgoing.writeHead(answer.statusCode!, answer.headers))
    void json(answer).then((served) => outgoing.end(JSON.stringify(lacking(served as Handshake))))
  })
  onward.on('error', () => outgoing.destroy())
  incoming.pipe(onward)
}

const lacking = ({ ports }: Handshake): Handshake => ({
  ports: ports.map((port) => ({ ...port, methods: port.methods.filter((method) => method !== before.without) })),
})

it('a process is not ready while the other side lacks a method, says which, and is ready again after its upgrade', async () => {
  const origin = await listen(forward)
  const fleet = await startFleet({
    processes: [
      { name: 'writer', modules: ['ingest', 'storage'] },
      { name: 'reader', modules: ['query'], env: { LINK_STORAGE_READ: origin } },
    ],
    events: 'local',
  })
  before.target = fleet.urlFor('storage')
  ends.push(() => fleet.stop())
  const reader = fleet.process('reader')
  const ready = async (): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`${reader.url}/health/ready`)
    return { status: answer.status, text: await answer.text() }
  }
  const until = async (status: number): Promise<string> => {
    for (const deadline = performance.now() + 15_000; ; await delay(100)) {
      const now = await ready()
      if (now.status === status) return now.text
      if (performance.now() > deadline) throw new Error(`never ${status}: ${now.text}`)
    }
  }
  expect((await ready()).status).toBe(200)
  before.without = 'aggregate'
  expect(await until(503)).toContain(`${origin} does not serve aggregate of storage.read v1: upgrade the process there`)
  // What both sides know goes on.
  const headers = { authorization: `Bearer ${fleet.adminKey}` }
  expect((await fetch(`${reader.url}/v1/events`, { headers })).status).toBe(200)
  const topology = await (await fetch(`${reader.url}/v1/topology`, { headers })).json()
  expect(topology).toMatchObject({ instances: { 'storage.read': [{ origin, lacks: expect.any(String) }] } })
  before.without = undefined
  await until(200)
})
