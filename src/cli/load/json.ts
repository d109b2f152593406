/* Values as JSON text, without building objects first. */

const plain = /^[ !#-[\]-~]*$/

/** A string as a JSON literal. */
export function quote(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text)
}

/**
 * Any value that a file holds as JSON: integers beyond 2^53 become strings (a JSON number would lose digits), binary
 * becomes base64, NaN and infinities become null (JSON has none of them).
 */
export function toJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return quote(value)
    case 'number':
      if (!Number.isFinite(value)) return 'null'
      return Number.isInteger(value) && !Number.isSafeInteger(value) ? `"${BigInt(value)}"` : `${value}`
    case 'bigint':
      return value >= -9007199254740991n && value <= 9007199254740991n ? `${value}` : `"${value}"`
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      return value === null ? 'null' : objectToJson(value)
    default:
      return 'null'
  }
}

function objectToJson(value: object): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'null' : `"${value.toISOString()}"`
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString('base64')}"`
  if (Array.isArray(value) || ArrayBuffer.isView(value))
    return `[${Array.from(value as ArrayLike<unknown>, toJson).join(',')}]`
  return `{${Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => `${quote(key)}:${toJson(member)}`)
    .join(',')}}`
}

const maxCached = 20_000

/** `toJson` that remembers the text of strings, for columns with few distinct values. Bounded. */
export function cachedJson(): (value: unknown) => string {
  const texts = new Map<string, string>()
  return (value) => {
    if (typeof value === 'bigint') return toJson(value)
    if (typeof value !== 'string') return toJson(value)
    let text = texts.get(value)
    if (text === undefined) {
      text = quote(value)
      if (texts.size < maxCached && value.length <= 64) texts.set(value, text)
    }
    return text
  }
}
