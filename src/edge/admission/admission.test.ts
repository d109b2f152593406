import { setTimeout as delay } from 'node:timers/promises'
import { noMetrics, systemClock } from '@splitstream/kernel'
import { afterEach, describe, expect, it } from 'vitest'
import { requestBytes, sendRaw, startEdge, type TestEdge } from '../edge.fixture.ts'
import { Quotas } from '../quota/quotas.ts'

let edge: TestEdge | undefined
afterEach(async () => {
  await edge?.stop()
  edge = undefined
})

/** An edge on which each key may make so many requests a second. */
async function limitedTo(requestsPerSecond: number): Promise<TestEdge> {
  const parts = { clock: systemClock, metrics: noMetrics, onFailure: 'local' } as const
  const quotas = new Quotas({ key: { requestsPerSecond }, tenant: {}, ...parts })
  edge = await startEdge({ quotas })
  return edge
}
const json = ['Content-Type: application/json']
const post = (body: string, lines: readonly string[] = json) => requestBytes({ body, lines })
const statuses = (raw: string): number[] => [...raw.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status))

/** Sends the request again and again on one connection, as soon as it is answered. */
async function hammer(port: number, request: Buffer, ms: number): Promise<number[]> {
  const until = performance.now() + ms
  const { raw } = await sendRaw(
    port,
    async (socket) => {
      socket.on('data', () => performance.now() < until && socket.write(request))
      socket.write(request)
      await delay(ms)
    },
    50,
  )
  return statuses(raw)
}

describe('a refused request', () => {
  it('leaves its connection open, so that a refusal costs no new one', async () => {
    const { port } = await limitedTo(1)
    const { raw, closed } = await sendRaw(port, Buffer.concat([post('{"n":1}'), post('{"n":2}')]), 100)
    expect(statuses(raw)).toEqual([202, 429])
    expect(closed).toBe(false)
    expect(raw).toMatch(/\r\nRetry-After: 1\r\n/)
    expect(raw.match(/\r\nRateLimit-Policy: "key";q=1;w=1\r\n/g)).toHaveLength(2)
    expect(raw.match(/\r\nRateLimit: "key";r=0;t=1\r\n/g)).toHaveLength(2)
  })

  it('with a body that is large or expected closes it: nobody reads that', async () => {
    const { port } = await limitedTo(1)
    expect((await sendRaw(port, post('{}'))).status).toBe(202)
    const large = await sendRaw(port, requestBytes({ length: 500_000, lines: json, body: '{' }), 2_000)
    expect([large.status, large.headers.connection, large.closed]).toEqual([429, 'close', true])
    const expected = await sendRaw(port, requestBytes({ length: 10, lines: [...json, 'Expect: 100-continue'] }), 2_000)
    expect([expected.status, expected.headers.connection]).toEqual([429, 'close'])
  })

  it('lets its connection rest: whoever does not wait is answered a few times a second only', async () => {
    const { port } = await limitedTo(1)
    const refused = (await hammer(port, post('{}'), 1_000)).filter((status) => status === 429)
    expect(refused.length).toBeGreaterThan(10)
    expect(refused.length).toBeLessThanOrEqual(55)
  })

  it('does so without a body, too', async () => {
    const { port } = await limitedTo(1)
    const query = requestBytes({ method: 'GET', target: '/v1/items/a' })
    const refused = (await hammer(port, query, 1_000)).filter((status) => status === 429)
    expect(refused.length).toBeGreaterThan(10)
    expect(refused.length).toBeLessThanOrEqual(55)
  })

  it('of a proxy does not: others share its connections', async () => {
    const { port } = await limitedTo(1)
    const answers = await hammer(port, post('{}', [...json, 'X-Forwarded-For: 192.0.2.1']), 1_000)
    expect(answers.length).toBeGreaterThan(200)
  })

  it('is served again on the same connection when there is room', async () => {
    const { port } = await limitedTo(5)
    const from = performance.now()
    const answers = await hammer(port, post('{}'), 2_000)
    const seconds = (performance.now() - from) / 1_000
    const passed = answers.filter((status) => status === 202).length
    // Five at once, and five for each second: 15, or less when nothing ran here for a while.
    expect(passed).toBeGreaterThanOrEqual(8)
    expect(passed).toBeLessThanOrEqual(5 + 5 * seconds + 1)
  })

  it('counts the bytes of a body whose length was not told', async () => {
    const parts = { clock: systemClock, metrics: noMetrics, onFailure: 'local' } as const
    edge = await startEdge({ quotas: new Quotas({ key: { bytesPerSecond: 100 }, tenant: {}, ...parts }) })
    const chunked = requestBytes({ lines: [...json, 'Transfer-Encoding: chunked'] })
    const body = `3e8\r\n${'"x"'.padEnd(1_000)}\r\n0\r\n\r\n`
    expect((await sendRaw(edge.port, Buffer.concat([chunked, Buffer.from(body)]))).status).toBe(202)
    const next = await sendRaw(edge.port, post('{}'))
    expect([next.status, next.headers.ratelimit]).toEqual([429, '"key-bytes";r=0;t=9'])
  })
})
