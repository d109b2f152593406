import { randomBytes } from 'node:crypto'
import { codeOf } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import type { Joined } from '../adapters.ts'
import { callWith, deepFreeze, failureOf } from './support.ts'

const nested = (depth: number): unknown => {
  let value: unknown = 'the innermost'
  for (let i = 0; i < depth; i++) value = i % 2 ? [value] : { value }
  return value
}

const events = Array.from({ length: 10_000 }, (_, i) => ({
  specversion: '1.0',
  id: `e${i}`,
  type: 'flight',
  data: { delay: i % 90, origin: 'ORD', tail: null },
}))

const values: readonly [string, unknown][] = [
  ['null', null],
  ['true and false', [true, false]],
  ['whole numbers', [0, -1, 2 ** 31, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]],
  ['fractions', [0.1, -1.5, 1e308, 5e-324, Math.PI]],
  ['texts', ['', ' ', 'plain', '"quoted" \\ and \u0000 \n \r \t', '\u2028\u2029', '</script>']],
  ['Unicode', ['Grüße', '日本語', '👩‍👩‍👧', '\ud800 alone', 'e\u0301', '\ufeffbom']],
  ['empty values', [[], {}, [[]], [{}], { '': '' }]],
  ['an array at the top', [1, [2, [3]]]],
  ['a text at the top', 'text'],
  ['a number at the top', 42],
  ['names that objects have themselves', JSON.parse('{"constructor":1,"toString":2,"hasOwnProperty":3,"then":4}')],
  ['500 levels', nested(500)],
  ['10,000 events', { events, next: null }],
  ['4 MiB of text', 'ä'.repeat(2 << 20)],
]

export function valueCases(joined: () => Joined): void {
  const echo = (value: unknown): Promise<unknown> => joined().port.echo(value, callWith())

  describe('values', () => {
    it.each(values)('%s arrive as they are', async (_, value) => {
      expect(await echo(value)).toStrictEqual(value)
    })

    it('nothing at all arrives as undefined', async () => {
      expect(await echo(undefined)).toBe(undefined)
    })

    it('a member that is undefined is one that is missing; null is neither', async () => {
      const value = (await echo({ none: undefined, nothing: null })) as Record<string, unknown>
      expect(value.none).toBe(undefined)
      expect(value.nothing).toBe(null)
      expect(value).toEqual({ nothing: null })
    })

    it('a member called __proto__ is data', async () => {
      const text = '{"data":{"__proto__":{"admin":true},"x":1}}'
      const value = (await echo(JSON.parse(text))) as { data: Record<string, unknown> }
      expect(JSON.stringify(value)).toBe(text)
      expect(Object.hasOwn(value.data, '__proto__')).toBe(true)
      expect(value.data.admin).toBe(undefined)
    })

    it('bytes arrive beside other members', async () => {
      const body = Uint8Array.from({ length: 256 }, (_, i) => i)
      expect(await echo({ body, mediaType: 'application/json', n: 1 })).toStrictEqual(
        expect.objectContaining({ mediaType: 'application/json', n: 1 }),
      )
      const { body: back } = (await echo({ body })) as { body: Uint8Array }
      expect(back).toBeInstanceOf(Uint8Array)
      expect(Buffer.compare(back, body)).toBe(0)
    })

    it('several byte members, one of them empty, keep their places', async () => {
      const [first, last] = [new Uint8Array([1, 2, 3]), new Uint8Array([9])]
      const value = (await echo({ first, empty: new Uint8Array(0), last })) as Record<string, Uint8Array>
      expect([...value.first!]).toEqual([1, 2, 3])
      expect(value.empty!.length).toBe(0)
      expect([...value.last!]).toEqual([9])
    })

    it('a view into a larger buffer is only the view', async () => {
      const body = new Uint8Array([0, 1, 2, 3, 4, 5]).subarray(2, 4)
      const value = (await echo({ body })) as { body: Uint8Array }
      expect([...value.body]).toEqual([2, 3])
    })

    it('8 MiB of bytes arrive, and come back', async () => {
      const body = randomBytes(8 << 20)
      const value = (await echo({ body, note: '8 MiB' })) as { body: Uint8Array }
      expect(Buffer.compare(value.body, body)).toBe(0)
    })

    it('bytes of 32 MiB and one more are refused before the call begins, and of a little less arrive', async () => {
      const body = new Uint8Array((32 << 20) + 1)
      const error = await failureOf(joined().port.echo({ body }, callWith()))
      expect(codeOf(error)).toBe('BODY_TOO_LARGE')
      expect(joined().callee.begun.has('echo')).toBe(false)
      const less = (await echo({ body: body.subarray(1024) })) as { body: Uint8Array }
      expect(less.body.length).toBe(body.length - 1024)
    })

    it('the input of a call is never changed', async () => {
      const input = deepFreeze({ list: [{ a: 1 }], body: new Uint8Array([7]), text: 'same' })
      const before = structuredClone(input)
      await echo(input)
      await joined().port.put(deepFreeze({ key: 'k', value: 1 }), callWith())
      expect(input).toEqual(before)
    })

    it('a member that only a later version knows is ignored, on the way in and out', async () => {
      const later = { key: 'k', value: 3, addedLater: { deep: [1] } }
      expect((await joined().port.put(later, callWith())).total).toBe(3)
      // The callee of the sample answers with a member that is not in its contract.
      expect((await joined().port.seen({}, callWith())).tenant).toBe('acme')
    })
  })
}
