import type { Field, Message, Scalar } from './wire.ts'

/* The messages of OTLP 1.x (github.com/open-telemetry/opentelemetry-proto), as far as traces and metrics need them. */
const one = (name: string, type: Scalar | (() => Message), oneof?: string): Field => ({
  name,
  type,
  ...(oneof !== undefined && { oneof }),
})
const many = (name: string, type: Scalar | (() => Message)): Field => ({ name, type, repeated: true })

const anyValue: Message = {
  1: one('string', 'string', 'value'),
  2: one('bool', 'bool', 'value'),
  3: one('int', 'int64', 'value'),
  4: one('double', 'double', 'value'),
  5: one('array', () => arrayValue, 'value'),
  6: one('list', () => keyValueList, 'value'),
  7: one('bytes', 'bytes', 'value'),
}
const keyValue: Message = { 1: one('key', 'string'), 2: one('value', () => anyValue) }
const arrayValue: Message = { 1: many('values', () => anyValue) }
const keyValueList: Message = { 1: many('values', () => keyValue) }
const attributes = many('attributes', () => keyValue)

const resource: Message = { 1: attributes, 2: one('droppedAttributes', 'uint32') }
const scope: Message = { 1: one('name', 'string'), 2: one('version', 'string'), 3: attributes }

const link: Message = {
  1: one('traceId', 'bytes'),
  2: one('spanId', 'bytes'),
  3: one('traceState', 'string'),
  4: attributes,
  5: one('droppedAttributes', 'uint32'),
  6: one('flags', 'fixed32'),
}
const event: Message = {
  1: one('time', 'fixed64'),
  2: one('name', 'string'),
  3: attributes,
  4: one('droppedAttributes', 'uint32'),
}
const status: Message = { 2: one('message', 'string'), 3: one('code', 'enum') }
const span: Message = {
  1: one('traceId', 'bytes'),
  2: one('spanId', 'bytes'),
  3: one('traceState', 'string'),
  4: one('parentSpanId', 'bytes'),
  5: one('name', 'string'),
  6: one('kind', 'enum'),
  7: one('start', 'fixed64'),
  8: one('end', 'fixed64'),
  9: attributes,
  10: one('droppedAttributes', 'uint32'),
  11: many('events', () => event),
  12: one('droppedEvents', 'uint32'),
  13: many('links', () => link),
  14: one('droppedLinks', 'uint32'),
  15: one('status', () => status),
  16: one('flags', 'fixed32'),
}

const numberPoint: Message = {
  2: one('start', 'fixed64'),
  3: one('time', 'fixed64'),
  4: one('double', 'double', 'value'),
  6: one('int', 'sfixed64', 'value'),
  7: attributes,
  8: one('flags', 'uint32'),
}
const histogramPoint: Message = {
  2: one('start', 'fixed64'),
  3: one('time', 'fixed64'),
  4: one('count', 'fixed64'),
  5: one('sum', 'double'),
  6: many('counts', 'fixed64'),
  7: many('bounds', 'double'),
  9: attributes,
  10: one('flags', 'uint32'),
  11: one('min', 'double'),
  12: one('max', 'double'),
}
const gauge: Message = { 1: many('points', () => numberPoint) }
const sum: Message = {
  1: many('points', () => numberPoint),
  2: one('temporality', 'enum'),
  3: one('monotonic', 'bool'),
}
const histogram: Message = { 1: many('points', () => histogramPoint), 2: one('temporality', 'enum') }
const metric: Message = {
  1: one('name', 'string'),
  2: one('description', 'string'),
  3: one('unit', 'string'),
  5: one('gauge', () => gauge, 'data'),
  7: one('sum', () => sum, 'data'),
  9: one('histogram', () => histogram, 'data'),
}

/** What is posted: everything of one resource, by scope. */
const request = (all: string, scoped: string, item: string, of: () => Message): Message => ({
  1: many(all, () => ({
    1: one('resource', () => resource),
    2: many(scoped, () => ({ 1: one('scope', () => scope), 2: many(item, of), 3: one('schemaUrl', 'string') })),
    3: one('schemaUrl', 'string'),
  })),
})

export const traceRequest = request('resources', 'scopes', 'items', () => span)
export const metricsRequest = request('resources', 'scopes', 'items', () => metric)
