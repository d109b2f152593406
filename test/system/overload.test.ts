import { afterAll, beforeAll, expect, it } from 'vitest'
import type { LoadResult } from '../bench/overload/job.ts'
import { runLoad } from '../bench/overload/start.ts'
import { untilAllStored } from '../bench/overload/stored.ts'
import { sumsOf } from '../bench/overload/sums.ts'
import { type RunningServer, startServer } from '../support/server.ts'

const seconds = 5
const events = 100
let server: RunningServer
let load: LoadResult
let probes: { status: number; ms: number }[]

/** Many clients at once, none of which waits as it is told, and somebody who looks how the process does. */
beforeAll(async () => {
  server = await startServer({ env: { LOG_LEVEL: 'warn', OVERLOAD_DELAY_MS: '10' } })
  const { url, adminKey: key } = server
  let over = false
  const running = runLoad({ url, key, tag: 'ov', events, connections: 400, seconds }).finally(() => (over = true))
  probes = []
  while (!over) {
    const from = performance.now()
    const { status } = await fetch(`${url}/health/ready`)
    probes.push({ status, ms: performance.now() - from })
    await new Promise((done) => setTimeout(done, 50))
  }
  load = await running
})
afterAll(() => server?.stop())

const metric = async (line: RegExp): Promise<number> =>
  Number(line.exec(await (await fetch(`${server.url}/metrics`)).text())?.[1] ?? Number.NaN)

it('is answered with 503 for what waited too long, and with 202 for the rest', async () => {
  const { good, late, refused } = sumsOf(load.slices)
  expect(Object.keys(refused)).toEqual(['503'])
  expect(refused['503']! * seconds).toBeGreaterThan(100)
  expect((good + late) * seconds).toBeGreaterThan(100)
  expect(await metric(/^splitstream_http_shed_total\{splitstream_scope="ingest"\} (\d+)$/m)).toBeGreaterThan(100)
})

it('refuses no health check', () => {
  expect(probes.length).toBeGreaterThan(5)
  expect(new Set(probes.map(({ status }) => status))).toEqual(new Set([200]))
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
  await untilAllStored(server.url)
  const response = await fetch(`${server.url}/v1/query`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      measures: [{ fn: 'count', as: 'n' }],
      filters: [{ field: 'id', op: 'gte', value: 'ov' }],
    }),
  })
  const { rows } = (await response.json()) as { rows: { n: number }[] }
  const acknowledged = load.slices.reduce((sum, { good, late }) => sum + good + late, 0)
  expect(rows[0]?.n).toBe(acknowledged * events)
})
