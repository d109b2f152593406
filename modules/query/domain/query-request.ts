import { checked } from '@splitstream/kernel'
import { type AggregateInput, parseField, parseInstant } from '@splitstream/storage/contract'
import { z } from 'zod'
import { parseInterval } from './interval.ts'

const name = z.string().min(1).max(200)
const field = z
  .string()
  .max(1000)
  .refine((text) => parseField(text) !== undefined, 'no such field: an attribute, ext.name or data.path is expected')
const instant = z
  .string()
  .refine((text) => parseInstant(text) !== undefined, 'an RFC 3339 instant is expected, such as 2001-02-03T04:05:06Z')
const scalar = z.union([z.string().max(100_000), z.number(), z.boolean()])
const value = z.union([scalar, z.array(scalar).min(1).max(10_000)])
const op = z.enum(['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'in', 'nin', 'contains', 'exists'])

const measure = z
  .strictObject({
    fn: z.enum(['count', 'uniq', 'sum', 'avg', 'min', 'max', 'quantile']),
    field: field.optional(),
    q: z.number().min(0).max(1).optional(),
    as: name,
  })
  .refine(({ fn, field }) => fn === 'count' || field !== undefined, { path: ['field'], error: 'this fn needs a field' })
  .refine(({ fn, q }) => (fn === 'quantile') === (q !== undefined), {
    path: ['q'],
    error: 'fn quantile needs q from 0 to 1, and no other fn takes it',
  })

/** The body of POST /v1/query. Unknown members are refused: a misspelt filter must not widen an answer. */
export const queryRequest = z
  .strictObject({
    measures: z.array(measure).min(1).max(50),
    groupBy: z.array(field).max(10).default([]),
    interval: z
      .string()
      .refine(
        (text) => parseInterval(text) !== undefined,
        'a number and one of s m h d w M q y is expected, such as 1d',
      )
      .optional(),
    range: z.strictObject({ from: instant.optional(), to: instant.optional() }).default({}),
    filters: z.array(z.strictObject({ field, op, value })).max(100).default([]),
    having: z
      .array(z.strictObject({ field: name, op, value }))
      .max(50)
      .default([]),
    orderBy: z
      .array(z.strictObject({ by: name, dir: z.enum(['asc', 'desc']).default('asc') }))
      .max(20)
      .default([]),
    limit: z.int().min(1).max(10_000).default(100),
    after: z.string().min(1).max(20_000).optional(),
  })
  .meta({ id: 'Query' })

/** @throws AppError REQUEST_INVALID; `details.problems` lists the JSON path of each problem */
export function parseQueryRequest(body: unknown): { input: AggregateInput; after: string | undefined } {
  const { interval, after, ...rest } = checked(queryRequest, body, '$')
  return { input: { ...rest, interval: interval === undefined ? undefined : parseInterval(interval) }, after }
}
