/**
 * How a field is written, the same in every query: an envelope attribute (`type`), an extension attribute
 * (`ext.traceparent`), the data as a whole (`data`), or a path to a value in JSON data. A path has dots between its
 * segments; a segment with other characters is quoted: data.origin.code, data.`air port`.code, data["air port"].code.
 * A dot inside a segment counts as one between segments (the engine keeps {"a.b":1} and {"a":{"b":1}} alike).
 */
export type FieldRef =
  | { readonly kind: 'attribute'; readonly name: Attribute }
  | { readonly kind: 'extension'; readonly name: string }
  | { readonly kind: 'data' }
  | { readonly kind: 'path'; readonly path: string }

export const attributes = [
  'id',
  'source',
  'type',
  'subject',
  'time',
  'received',
  'datacontenttype',
  'dataschema',
] as const
export type Attribute = (typeof attributes)[number]

const maxLength = 1000
const maxSegments = 32

/** Bare segments end at what ends them in a `where` text. */
const segment = /\.([^\s.`'"\\[\]<>=!(),]+)|\.`([^`]+)`|\["([^"]+)"\]/y
/** The engine's parameters cannot carry these in an identifier, or give them a meaning. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const impossible = /[\u0000-\u001f\u007f`'"\\\ud800-\udfff]/

/** Reads a field that starts at `from`; undefined when there is none. `end` is where it stops. */
export function scanField(text: string, from: number): { readonly ref: FieldRef; readonly end: number } | undefined {
  const head = /[a-z]+/y
  head.lastIndex = from
  const name = head.exec(text)?.[0]
  if (name === undefined) return undefined
  let end = from + name.length
  const segments: string[] = []
  segment.lastIndex = end
  for (let match = segment.exec(text); match; match = segment.exec(text)) {
    const found = match[1] ?? match[2] ?? match[3] ?? ''
    if (!isSegment(found) || segments.push(found) > maxSegments) return undefined
    end = segment.lastIndex
  }
  if (end - from > maxLength) return undefined
  const ref = toRef(name, segments)
  return ref && { ref, end }
}

/** A whole text as a field; undefined when it is none. */
export function parseField(text: string): FieldRef | undefined {
  const found = text.length <= maxLength ? scanField(text, 0) : undefined
  return found?.end === text.length ? found.ref : undefined
}

function isSegment(text: string): boolean {
  const noSurrogatePair = text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, '')
  return !impossible.test(noSurrogatePair) && text.split('.').every((part) => part !== '')
}

function toRef(name: string, segments: readonly string[]): FieldRef | undefined {
  if (name === 'data') return segments.length === 0 ? { kind: 'data' } : { kind: 'path', path: segments.join('.') }
  if (name === 'ext') return segments.length === 1 ? { kind: 'extension', name: segments[0]! } : undefined
  const attribute = attributes.find((one) => one === name)
  return attribute && segments.length === 0 ? { kind: 'attribute', name: attribute } : undefined
}
