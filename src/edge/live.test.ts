import { setTimeout as delay } from 'node:timers/promises'
import type { Route } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { startEdge } from './edge.fixture.ts'

/** A stream that says something all the time, and ends itself when the process stops. */
const live: Route = {
  method: 'GET',
  path: '/v1/live',
  scope: 'query',
  summary: 'ticks',
  produces: ['text/event-stream'],
  handle: async ({ stopping }) => ({
    status: 200,
    headers: { 'content-type': 'text/event-stream' },
    bytes: (async function* () {
      for (; !stopping!.aborted; await delay(20)) yield Buffer.from(': tick\n\n')
      yield Buffer.from('retry: 1000\n\n')
    })(),
  }),
}
const principal = { id: 'k', tenant: 'acme', scopes: new Set(['query']), operator: false }
const headers = { authorization: 'Bearer key', accept: 'text/event-stream', 'accept-encoding': 'gzip' }

it('a live answer is not compressed, comes at once, and ends by itself when the process stops', async () => {
  const edge = await startEdge({ routes: [live], keys: { authenticate: () => principal } })
  const answer = await fetch(`${edge.url}/v1/live`, { headers })
  expect(answer.headers.get('content-encoding')).toBeNull()
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader.read()).value).toBe(': tick\n\n')
  const from = performance.now()
  const stopped = edge.stop(10_000)
  let last = ''
  for (let step = await reader.read(); !step.done; step = await reader.read()) last = step.value
  expect(last).toContain('retry: 1000')
  await stopped
  expect(performance.now() - from).toBeLessThan(5_000)
})

it('a key that was revoked is worthless for a stream that began before', async () => {
  let revoked = false
  const edge = await startEdge({ routes: [live], keys: { authenticate: () => (revoked ? undefined : principal) } })
  const answer = await fetch(`${edge.url}/v1/live`, { headers })
  const reader = answer.body!.getReader()
  await reader.read()
  revoked = true
  const rest = async (): Promise<void> => {
    while (!(await reader.read()).done);
  }
  await expect(rest()).rejects.toThrow()
  expect((await fetch(`${edge.url}/v1/live`, { headers })).status).toBe(401)
  await edge.stop()
})
