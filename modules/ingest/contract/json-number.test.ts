import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fitsDouble } from './json-number.ts'

describe('a number', () => {
  it.each([
    ['0', '-0', '0.0', '-0.000', '0e999', '0.0e-999', '1', '-1.5', '1e3', '1E+3', '100e-2', '0.1'],
    ['9007199254740991', '-9007199254740991', '9007199254740991.0', '9007199254740991e0', '90071992547409910e-1'],
    ['0.30000000000000004', '0.10000000000000001', '3.14159265358979323846264338327950288', '4503599627370497.3'],
    ['1e16', '1e22', '1e23', '9.9999999999999992e+22', '1e300', '1.7976931348623157e308', '5e-324', '2.5e-323'],
    ['9.5e15', '9500000000000000.0', '9007199254740994.0', '1.152921504606847e+18'],
  ])('that a double keeps fits %#', (...texts) => {
    for (const text of texts) expect(fitsDouble(text), text).toBe(true)
  })

  it.each([
    ['9007199254740992', '-9007199254740993', '123456789012345678901234567890'],
    ['9007199254740993.0', '-9007199254740993.0', '9007199254740993e0', '9.007199254740993e15', '90071992547409930e-1'],
    ['9007199254740992.5', '12345678901234567890.5', '1.23456789012345678901e25'],
    ['1e999', '-1e999', '1.8e308', `${'9'.repeat(400)}.5`],
    ['1e-400', '-1e-400', '0.1e-399', `0.${'0'.repeat(400)}1`, '123456e-999'],
    [`1${'0'.repeat(1000)}`, `0.${'1'.repeat(1000)}`],
  ])('that it does not keep does not fit %#', (...texts) => {
    for (const text of texts) expect(fitsDouble(text), text).toBe(false)
  })

  it('fits as every double is written, except integers beyond 2^53 that are written out', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        for (const text of [String(value), value.toExponential(), value.toExponential(16)]) {
          const isBigInteger = /^-?\d+$/.test(text) && !Number.isSafeInteger(value)
          expect(fitsDouble(text), text).toBe(!isBigInteger)
        }
      }),
    )
  })
})
