import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Route } from '@splitstream/kernel'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { BodyPool } from './body-pool.ts'
import { keys, startEdge } from './edge.fixture.ts'

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

it('gives a buffer again that was given back, and never one that is in use', () => {
  const pool = new BodyPool()
  const [one, two] = [pool.take(100_000), pool.take(100_000)]
  pool.give(one)
  const [three, four] = [pool.take(120_000), pool.take(120_000)]
  expect([one === two, three === one, four === one, four === two]).toEqual([false, true, false, false])
})

it('keeps no more than it may, and no giants', () => {
  const pool = new BodyPool()
  const many = Array.from({ length: 8 }, () => pool.take(4 << 20))
  for (const buffer of many) pool.give(buffer)
  const again = Array.from({ length: 8 }, () => pool.take(4 << 20))
  expect(again.filter((buffer) => many.includes(buffer)).length).toBe(4)
  const giant = pool.take(5 << 20)
  pool.give(giant)
  expect(pool.take(5 << 20) === giant).toBe(false)
})

let edge: Awaited<ReturnType<typeof startEdge>>
const route: Route = {
  method: 'POST',
  path: '/v1/hashes',
  scope: 'ingest',
  summary: 'the hash of the body, some time after it came',
  accepts: ['*/*'],
  budgetMs: 150,
  handle: async ({ body, headers }) => {
    await delay(Number(headers['x-delay']))
    const now = hash(body)
    // One that is late has nobody to answer to, and must still see its own body.
    if (now !== headers['x-hash']) wrong++
    return { status: 200, json: now }
  },
}
let wrong = 0

beforeAll(async () => {
  edge = await startEdge({ routes: [route] })
})
afterAll(() => edge.stop())

it('lets each handler see its own body to its end, whatever became of the request', async () => {
  const statuses = new Map<number | string, number>()
  const one = async (n: number): Promise<void> => {
    const body = randomBytes(70_000 + ((n * 7919) % 500_000))
    // Some answer, some are late, and of some the client leaves.
    const [ms, leave] = [n % 5 === 0 ? 900 : n % 20, n % 7 === 0]
    const type = { 'content-type': 'application/octet-stream' }
    const headers = { ...type, authorization: `Bearer ${keys.all}`, 'x-hash': hash(body), 'x-delay': `${ms}` }
    const signal = AbortSignal.timeout(leave ? 10 : 10_000)
    const status = await fetch(`${edge.url}/v1/hashes`, { method: 'POST', body, headers, signal }).then(
      async (answer) => {
        await answer.text()
        return answer.status
      },
      () => 'left',
    )
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  for (let round = 0; round < 6; round++) await Promise.all(Array.from({ length: 40 }, (_, i) => one(round * 40 + i)))
  await delay(1_000)
  expect(wrong).toBe(0)
  expect(statuses.get(200) ?? 0, JSON.stringify([...statuses])).toBeGreaterThan(50)
  expect(statuses.get(504) ?? 0, JSON.stringify([...statuses])).toBeGreaterThan(5)
})
