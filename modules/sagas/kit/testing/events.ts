import { eventField } from '../../domain/event-field.ts'
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
  return event.type === type && match.every(([field, value]) => eventField(field)(event) === value)
}

/** As it is stored: what the test did not give is filled in. `n`: a number of its own. */
export function complete({ data, ...given }: TestEvent, n: number): CloudEvent {
  const members = Object.entries(given).filter((member): member is [string, Json] => member[1] !== undefined)
  const event = { specversion: '1.0', id: `event-${n}`, source: '/test', ...Object.fromEntries(members) }
  return data === undefined ? event : { ...event, data }
}
