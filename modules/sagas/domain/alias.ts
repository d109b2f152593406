import { createHash } from 'node:crypto'
import type { SagaState } from './state.ts'

/**
 * What the world knows a saga by: participants by `Splitstream-Saga` and the Idempotency-Key, whoever reads what it emits, and
 * its own expressions by `saga.id`. That is its id; or its alias, which follows from the event that started it, so that starting
 * it once more, after a restore that knows nothing of the first start, says the same to them, and nothing takes effect twice.
 */
export const knownAs = ({ id, state }: { readonly id: string; readonly state: SagaState }): string =>
  state.origin.alias ?? id

/** Of the saga that an event starts: an event is known by its tenant, source and id. */
export function aliasOf(o: {
  readonly tenant: string
  readonly saga: string
  readonly source: string
  readonly id: string
}): string {
  return uuidv8('event', o.tenant, o.saga, o.source, o.id)
}

/** Of the child of such a saga; undefined when the parent has no alias. An operator may order a step to have another child. */
export function childAlias({ origin, orders }: SagaState, step: string): string | undefined {
  return origin.alias && uuidv8('child', origin.alias, step, String(orders.size))
}

/** A UUID of version 8 (RFC 9562): 122 bits of a SHA-256. */
function uuidv8(...parts: readonly string[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(parts)).digest()
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
