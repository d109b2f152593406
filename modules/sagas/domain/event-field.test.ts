import { describe, expect, it } from 'vitest'
import { eventField } from './event-field.ts'
import type { Json } from './json.ts'

const event = {
  specversion: '1.0',
  id: '1',
  source: '/s',
  type: 't',
  subject: 'u',
  traceparent: 'tp',
  data: {
    n: 1,
    text: '1',
    yes: true,
    no: null,
    list: [1],
    deep: { er: { value: 7 } },
    'dotted.name': 2,
    half: { 'way.there': 3 },
    twice: { b: 4 },
    'twice.c': 5,
    'air port': { code: 'ORD' },
    constructor: 'own',
  },
} as const satisfies Json

describe('a field of an event', () => {
  it.each([
    ['id', '1'],
    ['source', '/s'],
    ['subject', 'u'],
    ['ext.traceparent', 'tp'],
    ['data.n', 1],
    ['data.text', '1'],
    ['data.yes', true],
    ['data.deep.er.value', 7],
    ['data.dotted.name', 2],
    ['data.half.way.there', 3],
    ['data.twice.b', 4],
    ['data.twice.c', 5],
    ['data.`air port`.code', 'ORD'],
    ['data["air port"].code', 'ORD'],
    ['data.constructor', 'own'],
  ])('%s is read', (field, value) => expect(eventField(field)(event)).toBe(value))

  it.each([
    'data',
    'data.no',
    'data.list',
    'data.deep',
    'data.gone',
    'data.n.x',
    'data.toString',
    'ext.toString',
    'no field',
  ])('%s has no value to be equal to', (field) => expect(eventField(field)(event)).toBeUndefined())

  it('of data that is no object is none', () => {
    for (const data of ['text', 1, null, [1]]) expect(eventField('data.n')({ ...event, data })).toBeUndefined()
    expect(eventField('data.n')({ id: '1' })).toBeUndefined()
  })
})
