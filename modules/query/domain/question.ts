import type { AggregateInput, Filter } from '@splitstream/storage/contract'
import { z } from 'zod'

const field = z.string().min(1).max(512)
const scalar = z.union([z.string().max(65_536), z.number(), z.boolean()])
const op = z.enum(['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'in', 'nin', 'contains', 'exists'])
const filter = z.strictObject({ field, op, value: z.union([scalar, z.array(scalar).max(10_000)]) })
const name = z.string().min(1).max(200)
const units = { s: 'second', m: 'minute', h: 'hour', d: 'day', w: 'week', M: 'month', q: 'quarter', y: 'year' } as const

/** The body of POST /v1/query. Unknown members are refused: a typing error must not change a figure. */
export const question = z.strictObject({
  measures: z
    .array(
      z.strictObject({
        fn: z.enum(['count', 'uniq', 'sum', 'avg', 'min', 'max', 'quantile']),
        field: field.optional(),
        q: z.number().min(0).max(1).optional(),
        as: name.optional(),
      }),
    )
    .min(1)
    .max(50),
  groupBy: z.array(field).max(10).default([]),
  interval: z
    .string()
    .regex(/^[1-9]\d{0,4}[smhdwMqy]$/, 'a number and one of s, m, h, d, w, M, q, y, such as 1d')
    .optional(),
  range: z.strictObject({ from: z.string().max(40).optional(), to: z.string().max(40).optional() }).default({}),
  filters: z.array(filter).max(100).default([]),
  having: z.array(filter).max(20).default([]),
  orderBy: z
    .array(z.strictObject({ by: name, dir: z.enum(['asc', 'desc']).default('asc') }))
    .max(10)
    .default([]),
  limit: z.number().int().min(1).max(10_000).default(100),
  after: z.string().max(1024).optional(),
})
export type Question = z.infer<typeof question>

export function toInput(q: Question): AggregateInput {
  return {
    measures: q.measures.map((m) => ({ ...m, as: m.as ?? (m.field === undefined ? m.fn : `${m.fn}(${m.field})`) })),
    groupBy: q.groupBy,
    interval:
      q.interval === undefined
        ? undefined
        : { n: Number.parseInt(q.interval, 10), unit: units[q.interval.at(-1) as keyof typeof units] },
    range: q.range,
    filters: q.filters as readonly Filter[],
    having: q.having as readonly Filter[],
    orderBy: q.orderBy,
    limit: q.limit,
  }
}
