/* Instants as RFC 3339 texts, fast enough for a call per row: the calendar part is worked out once a day of data. */

const dayTexts = new Map<number, string>()
const clockTexts: string[] = []

function dayText(day: number): string {
  let text = dayTexts.get(day)
  if (text === undefined) {
    text = new Date(day * 86_400_000).toISOString().slice(0, -13)
    if (dayTexts.size > 100_000) dayTexts.clear()
    dayTexts.set(day, text)
  }
  return text
}

const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`)

function clockText(second: number): string {
  let text = clockTexts[second]
  if (text === undefined) {
    text = `${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}`
    clockTexts[second] = text
  }
  return text
}

/** `micros` since the Unix epoch as an RFC 3339 instant in UTC, with as many of six fraction digits as it needs. */
export function microsToInstant(micros: number): string {
  const seconds = Math.floor(micros / 1e6)
  const fraction = micros - seconds * 1e6
  const day = Math.floor(seconds / 86_400)
  const text = dayText(day) + clockText(seconds - day * 86_400)
  if (fraction === 0) return `${text}Z`
  return `${text}.${String(fraction).padStart(6, '0').replace(/0+$/, '')}Z`
}

export type TimeUnit = 's' | 'ms' | 'us' | 'ns'
const toMicros: Record<TimeUnit, number> = { s: 1e6, ms: 1e3, us: 1, ns: 1e-3 }

/** A count of `unit` since the Unix epoch as an instant. */
export function epochToInstant(value: number, unit: TimeUnit): string | undefined {
  const micros = Math.floor(value * toMicros[unit])
  return Math.abs(micros) <= 8.64e18 && Number.isSafeInteger(micros) ? microsToInstant(micros) : undefined
}

const loose = /^(\d{4})[-/](\d{2})[-/](\d{2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?)?(Z|[+-]\d{2}:?\d{2})?$/i
const strict = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/
const digits = /^-?\d+(?:\.\d+)?$/

/**
 * A text or number from a file as an RFC 3339 instant. A time without a zone is taken as UTC, a date as its midnight, a
 * number as `unit` since the Unix epoch. What is none of these goes through as it is: the server refuses it by name.
 */
export function toInstant(value: unknown, unit: TimeUnit): string | undefined {
  if (value === null || value === undefined || value === '') return undefined
  if (typeof value === 'number' || typeof value === 'bigint') return epochToInstant(Number(value), unit)
  if (value instanceof Date) return microsToInstant(value.getTime() * 1e3)
  const text = String(value)
  if (strict.test(text)) return text
  if (digits.test(text)) return epochToInstant(Number(text), unit) ?? text
  const match = loose.exec(text)
  if (!match) return text
  const [, year, month, day, minute = '00:00', rest = ':00', zone = 'Z'] = match
  const offset = zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone.toUpperCase()
  return `${year}-${month}-${day}T${minute}${rest}${offset}`
}
