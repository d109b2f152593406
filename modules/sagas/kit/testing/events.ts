import { parseField } from '@splitstream/storage/contract'
import type { Json } from '../../domain/json.ts'

/** A CloudEvent as a test gives it; what is not given is filled in. */
export interface TestEvent {
  readonly type: string
  readonly source?: string
  readonly id?: string
  readonly subject?: string
  readonly data?: Json
  readonly [extension: string]: Json | undefined
}

export type CloudEvent = { readonly [name: string]: Json }

export type Match = readonly (readonly [field: string, value: Json])[]

/** Whether the event is of the type, and all fields are equal. */
export function matches(event: CloudEvent, type: string, match: Match): boolean {
  return event.type === type && match.every(([field, value]) => fieldOf(event, field) === value)
}

function fieldOf(event: CloudEvent, field: string): Json | undefined {
  const ref = parseField(field)
  if (ref === undefined || ref.kind === 'data') return undefined
  return ref.kind === 'path' ? memberOf(event.data, ref.path) : event[ref.name]
}

/** By its dots: `{"a.b":1}` and `{"a":{"b":1}}` are alike, as in storage. */
function memberOf(value: Json | undefined, path: string): Json | undefined {
  if (path === '') return value
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  for (const [name, member] of Object.entries(value as CloudEvent)) {
    if (path === name) return member
    const found = path.startsWith(`${name}.`) ? memberOf(member, path.slice(name.length + 1)) : undefined
    if (found !== undefined) return found
  }
  return undefined
}
