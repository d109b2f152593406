import { formatTime } from '@splitstream/ingest/contract'
import type { AggregateInput } from '../../contract/index.ts'
import type { Bindings } from './bindings.ts'

export type Interval = NonNullable<AggregateInput['interval']>

const secondsOf = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800 } as const
const monthsOf = { month: 1, quarter: 3, year: 12 } as const
/** 1970-01-05, a Monday: weeks begin there. */
const firstMonday = 4 * 86_400

/**
 * Buckets in UTC as integers: the start in µs for units of a fixed length, the number of months since year 0 for the
 * others. Plain arithmetic, because the engine's own functions cut times before 1970.
 */
export function bucketExpression({ n, unit }: Interval, bindings: Bindings): string {
  if (unit === 'month' || unit === 'quarter' || unit === 'year') {
    const months = 'toInt64(toYear(time)) * 12 + toMonth(time) - 1'
    const width = bindings.bind('Int64', n * monthsOf[unit])
    return `${months} - positiveModulo(${months}, ${width})`
  }
  const micros = 'toUnixTimestamp64Micro(time)'
  const width = bindings.bind('Int64', n * secondsOf[unit] * 1e6)
  const origin = bindings.bind('Int64', unit === 'week' ? firstMonday * 1e6 : 0)
  return `${micros} - positiveModulo(${micros} - ${origin}, ${width})`
}

/** The bucket's start, RFC 3339. */
export function bucketStart({ unit }: Interval, bucket: number): string {
  if (unit !== 'month' && unit !== 'quarter' && unit !== 'year') return formatTime(bucket)
  return formatTime(new Date(0).setUTCFullYear(Math.floor(bucket / 12), bucket % 12, 1) * 1000)
}
