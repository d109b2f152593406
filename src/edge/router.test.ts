import type { Route } from '@splitstream/kernel'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { keys, startEdge, type TestEdge } from './edge.fixture.ts'

const told: Route['handle'] = async ({ params, body, mediaType }) => ({
  status: 200,
  json: { params, length: body.length, mediaType },
})
const common = { scope: 'query', summary: 'what it was asked', handle: told } as const
const json = { accepts: ['application/json'] }

let edge: TestEdge
beforeAll(async () => {
  const routes: Route[] = [
    { method: 'POST', path: '/v1/things/:name', ...common, ...json },
    { method: 'GET', path: '/v1/things/:id', ...common },
    { method: 'POST', path: '/v1/things/:id/stop', ...common, ...json, bodyOptional: true },
    { method: 'GET', path: '/v1/:kind/:id/parts/:part', ...common },
  ]
  edge = await startEdge({ routes })
})
afterAll(() => edge.stop())

const ask = async (method: string, path: string, more: RequestInit = {}) => {
  const headers = { authorization: `Bearer ${keys.all}`, ...more.headers }
  const response = await fetch(edge.url + path, { ...more, method, headers })
  return {
    status: response.status,
    json: (await response.json()) as Record<string, unknown>,
    headers: response.headers,
  }
}

it('routes on one path may name its parameters differently, each by its own names', async () => {
  const sent = { body: '{}', headers: { 'content-type': 'application/json' } }
  expect((await ask('GET', '/v1/things/7')).json.params).toEqual({ id: '7' })
  expect((await ask('POST', '/v1/things/order', sent)).json.params).toEqual({ name: 'order' })
  expect((await ask('GET', '/v1/a/b%20c/parts/d')).json.params).toEqual({ kind: 'a', id: 'b c', part: 'd' })
  const other = await ask('DELETE', '/v1/things/7')
  expect([other.status, other.headers.get('allow')]).toEqual([405, 'POST, GET, HEAD'])
})

it('a body that is optional may be left out, and is what its type says when it is there', async () => {
  const path = '/v1/things/7/stop'
  const type = { 'content-type': 'application/json' }
  expect((await ask('POST', path)).json).toEqual({ params: { id: '7' }, length: 0, mediaType: '' })
  expect((await ask('POST', path, { headers: type })).json).toMatchObject({ length: 0 })
  expect((await ask('POST', path, { body: '{}', headers: type })).json).toMatchObject({ length: 2 })
  expect((await ask('POST', path, { body: 'x', headers: { 'content-type': 'text/plain' } })).status).toBe(415)
  const empty = new ReadableStream({ start: (controller) => controller.close() })
  const chunked = { body: empty, headers: type, duplex: 'half' } as RequestInit
  expect((await ask('POST', path, chunked)).json).toMatchObject({ length: 0 })
})
