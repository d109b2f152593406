import { hash } from 'node:crypto'

/** What starts one saga at most, as a key of 16 bytes. */
export function startKey(...parts: readonly string[]): Uint8Array {
  return hash('sha256', JSON.stringify(parts), 'buffer').subarray(0, 16)
}
