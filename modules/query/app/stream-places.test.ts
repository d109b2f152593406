import { expect, it } from 'vitest'
import { StreamPlaces } from './stream-places.ts'

const full = expect.objectContaining({ code: 'OVERLOADED', message: expect.stringContaining('QUERY_MAX_STREAMS') })

it('has so many places, and a place is given back once', () => {
  const places = new StreamPlaces(1)
  const leave = places.take('a')
  expect(() => places.take('b')).toThrow(full)
  leave()
  leave()
  expect(places.taken).toBe(0)
  places.take('b')
})

it('keeps the last ones for tenants that have none', () => {
  const places = new StreamPlaces(20)
  const leaves = Array.from({ length: 18 }, () => places.take('a'))
  expect(() => places.take('a')).toThrow(full)
  places.take('b')
  expect(() => places.take('b')).toThrow(full)
  places.take('c')
  expect(() => places.take('d')).toThrow(full)
  for (const leave of leaves) leave()
  places.take('a')
  expect(places.taken).toBe(3)
})
