import { hash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** `n` characters of base 62, uniformly drawn. */
function base62(n: number): string {
  let text = ''
  while (text.length < n) {
    for (const byte of randomBytes(n)) {
      // 248 = 4 × 62: bytes above it would favour some characters.
      if (byte < 248 && text.length < n) text += alphabet[byte % 62]
    }
  }
  return text
}

const checksum = (text: string): string => crc32(text).toString(16).padStart(8, '0')

/** What a key is for, as people and secret scanners see it: the operator's, or one for an application. */
export type KeyKind = 'op' | 'key'

/**
 * A new secret for the key `id`: `ss_<kind>_<id>_<secret>_<checksum>`, with 32 characters of base 62 (190 bits) drawn
 * at random, and the CRC-32 of all before it in hex.
 */
export function makeSecret(kind: KeyKind, id: string): string {
  const body = `ss_${kind}_${id}_${base62(32)}`
  return `${body}_${checksum(body)}`
}

/** A new public id: 12 characters of base 62. */
export const makeId = (): string => base62(12)

/** What may be shown of a key: enough to tell two apart, not enough to guess one. */
export const displayPrefix = (key: string): string =>
  key.startsWith('ss_') ? key.slice(0, key.lastIndexOf('_', key.lastIndexOf('_') - 1) + 5) : ''

/** False for a key of ours with a typing error; foreign forms (a chosen ADMIN_KEY) pass from 32 characters on. */
export function looksRight(key: string): boolean {
  if (!key.startsWith('ss_')) return key.length >= 32 && key.length <= 512
  const end = key.lastIndexOf('_')
  return checksum(key.slice(0, end)) === key.slice(end + 1)
}

/** SHA-256. */
export const hashOf = (key: string): Buffer => hash('sha256', key, 'buffer')
