/** The CloudEvents 1.0 attributes that have a column of their own, in the order of `attribute`. */
export const attributes = [
  'specversion',
  'id',
  'source',
  'type',
  'subject',
  'time',
  'datacontenttype',
  'dataschema',
  'data',
  'data_base64',
] as const
export type Attribute = (typeof attributes)[number]

/** Written out, so that the compiler sees constants. */
export const attribute = {
  specversion: 0,
  id: 1,
  source: 2,
  type: 3,
  subject: 4,
  time: 5,
  datacontenttype: 6,
  dataschema: 7,
  data: 8,
  data_base64: 9,
} as const satisfies Record<Attribute, number>

const names = attributes.map((name) => Buffer.from(name))
const longest = Math.max(...names.map((name) => name.length))
/** Indices of the attributes whose name is so long. */
const byLength = Array.from({ length: longest + 1 }, (_, length) =>
  names.flatMap((name, i) => (name.length === length ? [i] : [])),
)

/** Index of the attribute that the bytes name, or -1. */
export function attributeOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length > longest) return -1
  const candidates = byLength[length]!
  for (let i = 0; i < candidates.length; i++) {
    const name = names[candidates[i]!]!
    let at = 0
    while (at < length && name[at] === bytes[start + at]) at++
    if (at === length) return candidates[i]!
  }
  return -1
}

const quoted = attributes.map((name) => Buffer.from(`"${name}"`))

/** The end of the name of the attribute, if it stands at `start` with its quotes; or -1. */
export function endOfName(bytes: Uint8Array, start: number, index: number): number {
  const name = quoted[index]!
  const { length } = name
  for (let at = 0; at < length; at++) if (name[at] !== bytes[start + at]) return -1
  return start + length
}
