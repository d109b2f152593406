import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { flightsFile, flightsMapping } from '../flights.ts'
import { identify } from './checkpoint.ts'
import { toJson } from './json.ts'
import { openFile } from './open.ts'
import { microsToInstant, toInstant } from './time.ts'

describe('times', () => {
  test.each([
    [0, '1970-01-01T00:00:00Z'],
    [-1, '1969-12-31T23:59:59.999999Z'],
    [978_307_260_000_000, '2001-01-01T00:01:00Z'],
    [1_234_567_890_120_000, '2009-02-13T23:31:30.12Z'],
  ])('%d µs', (micros, text) => {
    expect(microsToInstant(micros)).toBe(text)
  })

  test.each([
    ['2024-05-06T07:08:09.123Z', '2024-05-06T07:08:09.123Z'],
    ['2024-05-06T07:08:09+0200', '2024-05-06T07:08:09+02:00'],
    ['2024/05/06 07:08', '2024-05-06T07:08:00Z'],
    ['2024-05-06', '2024-05-06T00:00:00Z'],
    [1_700_000_000_000, '2023-11-14T22:13:20Z'],
    ['1700000000000', '2023-11-14T22:13:20Z'],
    [new Date(5), '1970-01-01T00:00:00.005Z'],
    ['next week', 'next week'],
    ['', undefined],
    [null, undefined],
  ])('%j', (value, text) => {
    expect(toInstant(value, 'ms')).toBe(text)
  })
})

test('values as JSON', () => {
  const value = {
    a: 1n,
    b: 2n ** 60n,
    c: 2 ** 60,
    d: Number.NaN,
    e: new Uint8Array([1, 2]),
    f: [new Date(0), null],
    g: 'é"\n\u2028',
    h: undefined,
  }
  expect(JSON.parse(toJson(value))).toEqual({
    a: 1,
    b: '1152921504606846976',
    c: '1152921504606846976',
    d: null,
    e: 'AQI=',
    f: ['1970-01-01T00:00:00.000Z', null],
    g: 'é"\n\u2028',
  })
})

describe('Parquet', () => {
  const path = flightsFile()

  test('begins in the middle of a row group', async () => {
    const { source } = await openFile({ path, ...flightsMapping, idPrefix: 'f' }, await identify(path))
    try {
      for await (const chunk of source.chunks(2_999_990)) {
        expect([source.totalRows, chunk.firstRow, chunk.count]).toEqual([3_000_000, 2_999_990, 10])
        expect(JSON.parse(chunk.line(9))).toMatchObject({
          id: 'f2999999',
          type: 'flight',
          source: '/flights/us',
          time: '2001-07-01T00:00:00Z',
          data: {
            delay: expect.any(Number),
            distance: expect.any(Number),
            origin: expect.stringMatching(/^[A-Z]{3}$/),
          },
        })
      }
    } finally {
      await source.close()
    }
  })

  test('a file that is none is refused', async () => {
    const other = fileURLToPath(import.meta.url)
    await expect(openFile({ path: other, format: 'parquet' }, await identify(other))).rejects.toThrow(/parquet/i)
  })
})
