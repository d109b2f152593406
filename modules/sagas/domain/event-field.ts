import { parseField } from '@splitstream/storage/contract'
import type { Json } from './json.ts'

/** What a step can wait for. A field that is null, or holds more than one value, equals nothing. */
export type FieldValue = string | number | boolean

/**
 * How a field of an event is read; `field` is written as in queries: source, subject, id, ext.name or data.path. The event is
 * a CloudEvent as JSON. Paths go by their dots: `{"a.b":1}` and `{"a":{"b":1}}` are alike, as in storage.
 */
export function eventField(field: string): (event: Json) => FieldValue | undefined {
  const ref = parseField(field)
  if (ref === undefined || ref.kind === 'data') return () => undefined
  if (ref.kind === 'path') {
    const { path } = ref
    return (event) => scalarOf(atPath(own(event, 'data'), path))
  }
  const { name } = ref
  return (event) => scalarOf(own(event, name))
}

function atPath(value: Json | undefined, path: string): Json | undefined {
  const whole = own(value, path)
  if (whole !== undefined) return whole
  for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
    const found = atPath(own(value, path.slice(0, dot)), path.slice(dot + 1))
    if (found !== undefined) return found
  }
  return undefined
}

function own(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return Object.hasOwn(value, name) ? (value as { readonly [name: string]: Json })[name] : undefined
}

function scalarOf(value: Json | undefined): FieldValue | undefined {
  return typeof value === 'object' ? undefined : value
}
