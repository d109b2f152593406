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

/** A new key, `ss_<id>_<secret>_<checksum>`: 12 and 32 characters of base 62 (190 bits secret) and a CRC-32. */
export function makeKey(): { id: string; key: string } {
  const id = base62(12)
  const body = `ss_${id}_${base62(32)}`
  return { id, key: `${body}_${checksum(body)}` }
}

/** False for a key of ours with a typing error; foreign forms (a chosen ADMIN_KEY) pass. */
export function looksRight(key: string): boolean {
  if (!key.startsWith('ss_')) return key.length >= 32 && key.length <= 512
  const end = key.lastIndexOf('_')
  return checksum(key.slice(0, end)) === key.slice(end + 1)
}

/** SHA-256, hex. */
export const hashOf = (key: string): string => hash('sha256', key, 'hex')
