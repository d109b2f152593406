import type { AggregateInput } from '@splitstream/storage/contract'

type Interval = NonNullable<AggregateInput['interval']>

const units: Readonly<Record<string, Interval['unit']>> = {
  s: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  M: 'month',
  q: 'quarter',
  y: 'year',
}
const maxN = 10_000

/** `15m`, `1d`, `1M`: a number and one of s m h d w M q y; undefined when it is none. */
export function parseInterval(text: string): Interval | undefined {
  const match = /^([1-9]\d{0,4})([smhdwMqy])$/.exec(text)
  const n = Number(match?.[1])
  return match && n <= maxN ? { n, unit: units[match[2]!]! } : undefined
}
