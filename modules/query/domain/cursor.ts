import { createHmac, timingSafeEqual } from 'node:crypto'
import { AppError } from '@splitstream/kernel'
import type { Filter, ListPlace, TimeRange } from '@splitstream/storage/contract'

/** What a cursor belongs to: it cannot be used by another tenant or with other filters. The page size may change. */
export interface CursorScope {
  readonly tenant: string
  readonly range: TimeRange
  readonly filters: readonly Filter[]
}

const macBytes = 16
const placePattern = /^(-?\d{1,17})\.(\d{1,20})\.(\d{1,10})\.(\d{1,20})$/

/** An opaque token: MAC (HMAC-SHA256, cut to 128 bits) over scope and place, then the place; base64url. */
export function encodeCursor(secret: Uint8Array, scope: CursorScope, place: ListPlace): string {
  const text = `${place.time}.${place.key}.${place.partition}.${place.offset}`
  return Buffer.concat([mac(secret, scope, text), Buffer.from(text)]).toString('base64url')
}

/** @throws AppError CURSOR_INVALID when the token was not made with this secret for this scope */
export function decodeCursor(secret: Uint8Array, scope: CursorScope, token: string): ListPlace {
  const bytes = Buffer.from(token.slice(0, 200), 'base64url')
  const text = bytes.subarray(macBytes).toString('latin1')
  const match = placePattern.exec(text)
  if (
    !match ||
    bytes.toString('base64url') !== token ||
    !timingSafeEqual(bytes.subarray(0, macBytes), mac(secret, scope, text))
  ) {
    throw new AppError('CURSOR_INVALID', 'The cursor is not one of ours, or belongs to another query')
  }
  return { time: match[1]!, key: match[2]!, partition: match[3]!, offset: match[4]! }
}

function mac(secret: Uint8Array, { tenant, range, filters }: CursorScope, place: string): Buffer {
  const scope = [
    tenant,
    range.from ?? null,
    range.to ?? null,
    filters.map(({ field, op, value }) => [field, op, value]),
  ]
  return createHmac('sha256', secret)
    .update(JSON.stringify(['events', 1, scope, place]))
    .digest()
    .subarray(0, macBytes)
}
