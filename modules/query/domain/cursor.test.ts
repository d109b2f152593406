import { describe, expect, it } from 'vitest'
import { type CursorScope, decodeCursor, encodeCursor } from './cursor.ts'

const secret = Buffer.alloc(32, 1)
const scope: CursorScope = {
  tenant: 'acme',
  range: { from: '2001-01-01T00:00:00Z' },
  filters: [{ field: 'type', op: 'eq', value: 'x' }],
}
const place = { time: '-2177452800000000', key: '18446744073709551615', partition: '3', offset: '42' }

describe('cursor', () => {
  const token = encodeCursor(secret, scope, place)

  it('comes back as the place', () => expect(decodeCursor(secret, scope, token)).toEqual(place))

  it.each<[string, CursorScope, Uint8Array]>([
    ['another tenant', { ...scope, tenant: 'other' }, secret],
    ['another range', { ...scope, range: {} }, secret],
    ['another value', { ...scope, filters: [{ field: 'type', op: 'eq', value: 'y' }] }, secret],
    ['another type of value', { ...scope, filters: [{ field: 'type', op: 'eq', value: 1 }] }, secret],
    ['no filters', { ...scope, filters: [] }, secret],
    ['another secret', scope, Buffer.alloc(32, 2)],
  ])('is refused for %s', (_name, other, key) => {
    expect(() => decodeCursor(key, other, token)).toThrow(expect.objectContaining({ code: 'CURSOR_INVALID' }))
  })

  it('is refused when any bit of it was changed', () => {
    const bytes = Buffer.from(token, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const forged = Buffer.from(bytes)
      forged[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => decodeCursor(secret, scope, forged.toString('base64url'))).toThrow(/cursor/)
    }
  })

  it.each(['', 'x', '!!!', `${token}=`, `${token}AA`, ` ${token}`, 'A'.repeat(10_000)])('%s is none', (text) => {
    expect(() => decodeCursor(secret, scope, text)).toThrow(expect.objectContaining({ code: 'CURSOR_INVALID' }))
  })
})
