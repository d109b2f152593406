import { describe, expect, it } from 'vitest'
import { cloudEventSchema, eventSchema } from '../contract/index.ts'
import { BatchReader } from './batch.ts'
import { EventEncoder } from './event-encoder.ts'

/* The schemas of the OpenAPI document against what checks events: the same verdict, as far as a schema can say. */

const encoder = new EventEncoder(1, { maxNameBytes: 1_024, maxAheadMicros: 1e12 })
const reader = new BatchReader(encoder, { maxEvents: 10, maxEventBytes: 1 << 20 })

function takes(event: object, strictVersion: boolean): boolean {
  encoder.begin('acme', Date.now() * 1_000, strictVersion)
  return reader.json(Buffer.from(JSON.stringify(event)), 'event').accepted === 1
}

const event = { id: '1', source: '/s', type: 't' }
const { id: _, ...withoutId } = event

describe.each([
  ['an event', eventSchema, false],
  ['a CloudEvent', cloudEventSchema, true],
])('the schema of %s', (_name, schema, strictVersion) => {
  it.each<[string, object]>([
    ['no more than it needs', event],
    ['a version', { ...event, specversion: '1.0' }],
    ['another version', { ...event, specversion: '0.3' }],
    ['a version that is a number', { ...event, specversion: 1 }],
    ['everything', { ...event, specversion: '1.0', subject: 's', time: '2001-02-03T04:05:06Z', data: { a: [1] } }],
    ['a content type and schema', { ...event, datacontenttype: 'text/plain', dataschema: 'https://s', data: 'x' }],
    ['binary data', { ...event, data_base64: 'AAEC' }],
    ['binary data that is none', { ...event, data_base64: '?' }],
    ['extensions', { ...event, traceparent: '00', level: 3, ok: true }],
    ['an extension that is an object', { ...event, trace: { a: 1 } }],
    ['an extension that is an array', { ...event, trace: [1] }],
    ['no id', withoutId],
    ['an empty id', { ...event, id: '' }],
    ['a long id', { ...event, id: 'x'.repeat(1_024) }],
    ['too long an id', { ...event, id: 'x'.repeat(1_025) }],
    ['too long a subject', { ...event, subject: 'x'.repeat(1_025) }],
    ['an id that is a number', { ...event, id: 1 }],
    ['a time that is a number', { ...event, time: 1 }],
    ['data that is null', { ...event, data: null }],
  ])('agrees about one with %s', (_case, one) => {
    // With a version too: without one, a CloudEvent is refused whatever else it has.
    for (const given of [one, { specversion: '1.0', ...one }]) {
      expect(schema.safeParse(given).success).toBe(takes(given, strictVersion))
    }
  })
})
