/** Event times that the product takes: 1900-01-01 … 2299-12-31, in microseconds since the Unix epoch (DateTime64(6)). */
const earliest = Date.UTC(1900, 0, 1) * 1000
const latest = Date.UTC(2299, 11, 31) * 1000

/**
 * RFC 3339 date-time at `start … end`, in microseconds UTC; digits beyond the sixth of the fraction are dropped. NaN when
 * it is not one, or not a day of the calendar. Reads bytes: an event's time is parsed without making a string.
 */
export function parseTime(b: Uint8Array, start: number, end: number): number {
  const n = end - start
  if (n < 20 || n > 40) return Number.NaN
  const year = two(b, start) * 100 + two(b, start + 2)
  const month = two(b, start + 5)
  const day = two(b, start + 8)
  const hour = two(b, start + 11)
  const minute = two(b, start + 14)
  const second = two(b, start + 17)
  const t = b[start + 10]!
  const separators =
    b[start + 4] === 0x2d &&
    b[start + 7] === 0x2d &&
    (t | 0x20) === 0x74 &&
    b[start + 13] === 0x3a &&
    b[start + 16] === 0x3a
  // A leap second counts as the last microsecond-bearing second before it.
  if (!separators || !(hour < 24 && minute < 60 && second <= 60) || !isDay(year, month, day)) return Number.NaN

  let p = start + 19
  let micros = 0
  if (b[p] === 0x2e) {
    const from = ++p
    for (let c = b[p]!; p < end && c >= 0x30 && c <= 0x39; c = b[++p]!)
      if (p - from < 6) micros = micros * 10 + (c - 0x30)
    if (p === from) return Number.NaN
    for (let digits = p - from; digits < 6; digits++) micros *= 10
  }
  const offset = parseOffset(b, p, end)
  const days = daysFromCivil(year, month, day)
  const seconds = days * 86_400 + hour * 3_600 + minute * 60 + Math.min(second, 59) - offset * 60
  const time = seconds * 1e6 + micros
  return time >= earliest && time <= latest ? time : Number.NaN
}

/** Minutes east of UTC, or NaN. */
function parseOffset(b: Uint8Array, p: number, end: number): number {
  const c = b[p]!
  if ((c | 0x20) === 0x7a) return p + 1 === end ? 0 : Number.NaN
  if ((c !== 0x2b && c !== 0x2d) || p + 6 !== end || b[p + 3] !== 0x3a) return Number.NaN
  const minutes = two(b, p + 1) * 60 + two(b, p + 4)
  return two(b, p + 1) < 24 && two(b, p + 4) < 60 ? (c === 0x2b ? minutes : -minutes) : Number.NaN
}

function two(b: Uint8Array, p: number): number {
  const high = b[p]! - 0x30
  const low = b[p + 1]! - 0x30
  return high >= 0 && high <= 9 && low >= 0 && low <= 9 ? high * 10 + low : Number.NaN
}

function isDay(year: number, month: number, day: number): boolean {
  if (!(year >= 1900 && month >= 1 && month <= 12 && day >= 1)) return false
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return day <= (month === 2 ? (leap ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31)
}

/** Days since 1970-01-01 (Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yoe = y - era * 400
  const doy = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return era * 146_097 + yoe * 365 + Math.floor(yoe / 4) - Math.floor(yoe / 100) + doy - 719_468
}
