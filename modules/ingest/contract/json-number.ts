/** Longer ones are refused unread: no double is written so, and reading one takes time. */
const maxLength = 1000

/**
 * Whether a double keeps what a JSON number says. It does not keep an integer beyond 2^53, however that is written
 * (`9007199254740993`, `9007199254740993.0`, `9.007199254740993e15`), nor what is beyond its range (`1e999`, `1e-400`).
 * Beyond 2^53 the digits must be those with which a double is printed, the shortest (`1e23`) or all 17; decimals below
 * are rounded, as everywhere.
 */
export function fitsDouble(text: string): boolean {
  if (text.length > maxLength) return false
  const value = Number(text)
  if (value === 0) return digitsOf(text) === ''
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return true
  if (!Number.isFinite(value) || /^-?\d+$/.test(text)) return false
  const digits = digitsOf(text)
  return digits === digitsOf(String(value)) || digits === digitsOf(value.toPrecision(17))
}

/** The significant digits, without the zeros at both ends. */
function digitsOf(text: string): string {
  return text
    .replace(/e.*$/i, '')
    .replace(/[-.]/g, '')
    .replace(/^0+|0+$/g, '')
}
