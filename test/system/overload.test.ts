import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Slice } from '../bench/overload/job.ts'
import { runLoad } from '../bench/overload/start.ts'
import { untilAllStored } from '../bench/overload/stored.ts'
import { sumsOf } from '../bench/overload/sums.ts'
import { type RunningServer, startServer } from '../support/server.ts'

const seconds = 4
const events = 20
let server: RunningServer
/** What became of all requests, by the second. */
const slices: Slice[] = []
let probes: number[]

/**
 * Many clients at once, none of which waits as it is told, and somebody who looks how the process does. On a machine with other
 * work it can be the disk that cannot keep up, and not the event loop: then they come again.
 */
beforeAll(async () => {
  server = await startServer({ env: { LOG_LEVEL: 'warn', OVERLOAD_DELAY_MS: '5' } })
  const { url, adminKey: key } = server
  let over = false
  const floods = async (): Promise<void> => {
    for (let i = 0; i < 8 && refusedIn(slices) <= 100; i++) {
      const load = await runLoad({ url, key, tag: `ov${i}`, events, connections: 800, seconds })
      slices.push(...load.slices)
    }
  }
  const running = floods().finally(() => (over = true))
  probes = []
  while (!over) {
    const live = await fetch(`${url}/health/live`)
    const keys = await fetch(`${url}/v1/keys`, { headers: { authorization: `Bearer ${key}` } })
    probes.push(live.status, keys.status)
    await new Promise((done) => setTimeout(done, 50))
  }
  await running
}, 180_000)
afterAll(() => server?.stop())

const refusedIn = (all: readonly Slice[]): number => all.reduce((sum, { refused }) => sum + (refused['503'] ?? 0), 0)
const acknowledgedIn = (all: readonly Slice[]): number => all.reduce((sum, { good, late }) => sum + good + late, 0)
const metric = async (line: RegExp): Promise<number> =>
  Number(line.exec(await (await fetch(`${server.url}/metrics`)).text())?.[1] ?? Number.NaN)

it('is answered with 503 for what waited too long, and with 202 for the rest', async () => {
  expect(Object.keys(sumsOf(slices).refused)).toEqual(['503'])
  expect(refusedIn(slices)).toBeGreaterThan(100)
  expect(acknowledgedIn(slices)).toBeGreaterThan(100)
  expect(await metric(/^splitstream_http_shed_total\{splitstream_scope="ingest"\} (\d+)$/m)).toBeGreaterThan(100)
})

it('refuses neither health checks nor operators', () => {
  expect(probes.length).toBeGreaterThan(5)
  expect(new Set(probes)).toEqual(new Set([200]))
})

it('is over when the load is', async () => {
  await expect.poll(() => metric(/^splitstream_http_shedding (\d)$/m), { timeout: 10_000 }).toBe(0)
  const after = await runLoad({
    url: server.url,
    key: server.adminKey,
    tag: 'af',
    events: 1,
    rate: 20,
    connections: 8,
    seconds: 1,
  })
  expect(sumsOf(after.slices).refused).toEqual({})
})

it('loses nothing that was acknowledged, and stores nothing that was refused', async () => {
  await untilAllStored(server)
  const response = await fetch(`${server.url}/v1/query`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      measures: [{ fn: 'count', as: 'n' }],
      filters: [{ field: 'id', op: 'gte', value: 'ov' }],
    }),
  })
  const { rows } = (await response.json()) as { rows: { n: number }[] }
  expect(rows[0]?.n).toBe(acknowledgedIn(slices) * events)
})
