import type { Method, Route } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { HotLane } from './hot-lane.ts'

const route = (method: Method, path: string, hot = true): Route => ({
  ...{ method, path, hot, scope: 'public', summary: '' },
  handle: async () => ({ status: 204 }),
})
const events = route('POST', '/v1/events')
const start = route('POST', '/v1/sagas/:name')
const lane = new HotLane([events, start, route('POST', '/v1/sagas/check', false), route('GET', '/v1/sagas/:id', false)])

it('finds a path, and one whose last part is a parameter', () => {
  expect(lane.find('POST', '/v1/events')).toEqual({ route: events, params: {} })
  expect(lane.find('POST', '/v1/sagas/order')).toEqual({ route: start, params: { name: 'order' } })
})

it.each([
  ['GET', '/v1/events'],
  ['GET', '/v1/sagas/order'],
  ['POST', '/v1/sagas/check'],
  ['POST', '/v1/sagas/'],
  ['POST', '/v1/sagas'],
  ['POST', '/v1/sagas/a/cancel'],
  ['POST', '/v1/sagas/a%2Fb'],
  ['POST', '/v1/sagas/..'],
  ['POST', '/'],
  [undefined, ''],
])('leaves %s %s to express', (method, path) => expect(lane.find(method, path)).toBeUndefined())
