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

export const attribute = Object.freeze(
  Object.fromEntries(attributes.map((name, i) => [name, i])) as Record<Attribute, number>,
)

const names = attributes.map((name) => Buffer.from(name))

/** Index of the attribute that the bytes name, or -1. */
export function attributeOf(bytes: Uint8Array, start: number, end: number): number {
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!
    if (name.length !== end - start) continue
    let at = 0
    while (at < name.length && name[at] === bytes[start + at]) at++
    if (at === name.length) return i
  }
  return -1
}
