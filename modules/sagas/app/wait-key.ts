import { createHash } from 'node:crypto'
import type { Json } from '../domain/json.ts'

/**
 * The key under which a step waits for an event, and under which events look for steps: of the type and of the fields and
 * values that must be equal. 16 bytes: two different ones meet by chance never.
 */
export function waitKey(type: string, match: readonly (readonly [field: string, value: Json])[]): Uint8Array {
  const sorted = [...match].sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify([type, sorted]))
    .digest()
    .subarray(0, 16)
}

/** The key of an event among those that are kept for steps that do not wait yet: (source, id) is what it is known by. */
export function eventKey(source: string, id: string): Uint8Array {
  return createHash('sha256')
    .update(JSON.stringify([source, id]))
    .digest()
    .subarray(0, 16)
}
