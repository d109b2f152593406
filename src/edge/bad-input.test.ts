import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { badBodies } from './bad-bodies.fixture.ts'
import { type Case, json, mib } from './bad-case.fixture.ts'
import { badRequests } from './bad-requests.fixture.ts'
import { type Answer, keys, requestBytes, sendRaw, startEdge, type TestEdge } from './edge.fixture.ts'

const cases: readonly Case[] = [...badBodies, ...badRequests]

let edge: TestEdge
beforeAll(async () => {
  edge = await startEdge()
})
afterAll(() => edge.stop())

async function expectProblem(answer: Answer, one: Case): Promise<void> {
  expect(answer.status, answer.raw.slice(0, 600)).toBe(one.status)
  expect(answer.headers['content-type']).toBe('application/problem+json')
  expect(answer.headers['x-content-type-options']).toBe('nosniff')
  expect(answer.headers['x-powered-by']).toBeUndefined()
  const problem = JSON.parse(answer.body.slice(0, Number(answer.headers['content-length']))) as Record<string, unknown>
  expect(problem).toMatchObject({ status: one.status, code: one.code })
  for (const member of ['type', 'title', 'detail', 'instance', 'requestId'])
    expect(problem[member]).toBeTypeOf('string')
  expect(problem.requestId).toBe(answer.headers['request-id'])
  expect(answer.body).not.toMatch(/\bat .*\.ts|SELECT|passwd/)
  // Nothing follows the one answer: no second one for bytes that were smuggled in.
  expect(answer.raw.match(/HTTP\/1\.1 (?!100)/g)).toHaveLength(1)
  if (one.header) expect(answer.headers[one.header[0]]).toMatch(one.header[1])
  if (one.closes) expect(answer.closed, 'closed by the server').toBe(true)
}

async function expectAlive(): Promise<void> {
  const live = await fetch(`${edge.url}/health/live`)
  expect(await live.json()).toEqual({ status: 'live' })
}

describe('bad input', () => {
  const table = cases.flatMap((one) => {
    const { send } = one
    if (Buffer.isBuffer(send)) return [{ ...one, bytes: send }]
    const targets = send.target ? [send.target] : (one.targets ?? ['/v1/events'])
    return targets.map((target) => ({
      ...one,
      name: `${one.name} at ${target.slice(0, 40)}`,
      bytes: requestBytes({ ...send, target }),
    }))
  })
  it.each(table)('$b $name → $status $code', async (one) => {
    const before = process.memoryUsage().rss
    const answer = await sendRaw(edge.port, one.bytes, one.closes ? 3_000 : 20)
    await expectProblem(answer, one)
    if (one.status === 413) expect(process.memoryUsage().rss - before).toBeLessThan(96 * mib)
    await expectAlive()
  })

  it('B16 answers at once, to a client that goes on sending', async () => {
    const answer = await sendRaw(
      edge.port,
      async (socket) => {
        socket.write(requestBytes({ lines: [json], length: 500 * mib }))
        const block = Buffer.alloc(256 * 1024)
        for (let i = 0; i < 40 && !socket.destroyed; i++) {
          socket.write(block)
          await delay(2)
        }
      },
      3_000,
    )
    expect(answer.status).toBe(413)
    // The rest of the body never comes.
    expect(answer.ms).toBeLessThan(3_000)
    expect(answer.closed).toBe(true)
    await expectAlive()
  })

  it('B36 the body is the same for every reason', async () => {
    const bodies = new Set<string>()
    for (const key of [null, keys.unknown, keys.expired, `${keys.all.slice(0, -1)}x`]) {
      const { body, headers } = await sendRaw(edge.port, requestBytes({ method: 'GET', target: '/v1/items/1', key }), 0)
      bodies.add(body.replace(headers['request-id'] ?? '', ''))
    }
    expect(bodies.size).toBe(1)
  })
})
