import fc from 'fast-check'
import { expect, it } from 'vitest'
import { NameFilter } from './name-filter.ts'
import { repeatedName } from './repeated-name.ts'
import { EventScanner } from './scanner.ts'

type Json = null | boolean | number | string | Json[] | { readonly members: readonly (readonly [string, Json])[] }

/** Names that meet often, and some that look like syntax. */
const name = fc.oneof(
  fc.constantFrom(
    '',
    'a',
    'b',
    'aa',
    'ab',
    'é',
    '"',
    '\\',
    ':',
    '{',
    'a":1,"b',
    'name',
    'namf',
    'a name of some length',
  ),
  fc.string({ maxLength: 3 }),
)
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 5 },
    fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), name),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.array(fc.tuple(name, tie('json')), { maxLength: 8 }).map((members) => ({ members })),
  ),
}))

function textOf(value: Json, string: (text: string) => string, space: string): string {
  const text = (inner: Json): string => textOf(inner, string, space)
  if (typeof value === 'string') return string(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${space}${value.map(text).join(`${space},`)}]`
  return `{${space}${value.members.map(([key, member]) => `${string(key)}${space}:${space}${text(member)}`).join(',')}}`
}

function repeats(value: Json): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(repeats)
  const names = value.members.map(([key]) => key)
  return new Set(names).size < names.length || value.members.some(([, member]) => repeats(member))
}

const plain = (text: string): string => JSON.stringify(text)
const escaped = (text: string): string =>
  `"${Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`
/** Escapes every other string. */
function mixed(): (text: string) => string {
  let turn = false
  return (text) => {
    turn = !turn
    return turn ? escaped(text) : plain(text)
  }
}

it.each([
  ['plain', () => plain],
  ['escaped', () => escaped],
  ['in both ways', mixed],
])('a name that an object has twice is found, written %s, and no other', (_, strings) => {
  const scanner = new EventScanner()
  fc.assert(
    fc.property(json, fc.constantFrom('', ' ', '\t\r '), (value, space) => {
      const bytes = Buffer.from(`{"id":"1","source":"/","type":"t","data":${textOf(value, strings(), space)}}\n`)
      scanner.reset(bytes, false)
      expect(scanner.scan(0)).toBe(bytes.length - 1)
      expect(scanner.problem !== undefined, bytes.toString()).toBe(repeats(value))
      expect(repeatedName(bytes, 0, bytes.length - 1) !== undefined).toBe(repeats(value))
    }),
    { numRuns: 500 },
  )
})

it('one filter serves event after event', () => {
  const filter = new NameFilter()
  const bytes = Buffer.from('"name""name""other"')
  for (let i = 0; i < 1000; i++) {
    filter.begin(bytes)
    filter.add(0, 6, 0)
    filter.add(6, 12, 1)
    filter.add(12, 19, 0)
    expect([filter.count, filter.mayRepeat]).toEqual([3, false])
    filter.add(6, 12, 0)
    expect([filter.count, filter.mayRepeat]).toEqual([4, true])
  }
})
