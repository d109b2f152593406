import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'
import { patienceMs, watchFor } from './wedges.fixture.ts'

let server: RunningServer

beforeAll(async () => {
  server = await startServer({ env: { LOG_LEVEL: 'warn' } })
}, patienceMs)

afterAll(() => server?.stop(), patienceMs)

const headers = (type: string) => ({ authorization: `Bearer ${server.adminKey}`, 'content-type': type })
let sent = 0
let asked = 0

async function send(): Promise<void> {
  const lines = Array.from(
    { length: 2_000 },
    () => `{"id":"${sent++}","source":"/busy/${sent % 50}","type":"t","data":{"n":${sent}}}`,
  )
  const answer = await fetch(`${server.url}/v1/events`, {
    method: 'POST',
    headers: headers('application/x-ndjson'),
    body: lines.join('\n'),
  })
  await answer.arrayBuffer()
  // Turned away by admission, as others would be: that is no trouble of the process.
  if (answer.status !== 202) await delay(100)
}

async function query(): Promise<void> {
  const body = {
    measures: [
      { fn: 'uniq', field: 'id', as: 'n' },
      { fn: 'quantile', field: 'data.n', q: 0.95, as: 'p95' },
    ],
    groupBy: ['source'],
  }
  const answer = await fetch(`${server.url}/v1/query`, {
    method: 'POST',
    headers: headers('application/json'),
    body: JSON.stringify(body),
  })
  await answer.arrayBuffer()
  asked++
}

/** So many at once, again and again, for `ms`. */
async function busy(ms: number, clients: number, work: () => Promise<void>): Promise<void> {
  const end = performance.now() + ms
  const client = async () => {
    while (performance.now() < end) await work()
  }
  await Promise.all(Array.from({ length: clients }, client))
}

it(
  'is ready all the time, idle, busy beyond what the machine can do, and idle again',
  async () => {
    // Whoever shares the machine may make it late; what counts is what it says. Three failures in a row are what orchestrators heed.
    const watching = watchFor(server.url, 26_000, 6_000)
    await delay(2_000)
    await Promise.all([busy(8_000, 12, send), busy(8_000, 12, query)])
    await delay(4_000)
    await busy(6_000, 24, send)
    const red = await watching
    const { parts } = (await (await fetch(`${server.url}/health`)).json()) as {
      parts: Record<string, { state: string }>
    }
    process.stderr.write(`${sent} events were sent and ${asked} queries asked; not ready: ${JSON.stringify(red)}\n`)
    expect(red).toEqual([])
    expect(Object.values(parts).filter(({ state }) => state === 'down')).toEqual([])
    expect([sent, asked].every((n) => n > 20)).toBe(true)
  },
  patienceMs,
)
