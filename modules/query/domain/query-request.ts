import { checked } from '@splitstream/kernel'
import { type AggregateInput, parseField, parseInstant } from '@splitstream/storage/contract'
import { z } from 'zod'
import { parseInterval } from './interval.ts'

const name = z.string().min(1).max(200)
const field = z
  .string()
  .max(1000)
  .refine((text) => parseField(text) !== undefined, 'no such field: an attribute, ext.name or data.path is expected')
  .describe('An attribute, `ext.<name>` or `data.<path>`')
const instant = z
  .string()
  .refine((text) => parseInstant(text) !== undefined, 'an RFC 3339 instant is expected, such as 2001-02-03T04:05:06Z')
  .meta({ format: 'date-time' })
const scalar = z.union([z.string().max(100_000), z.number(), z.boolean()])
const value = z.union([scalar, z.array(scalar).min(1).max(10_000)])
const op = z
  .enum(['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'in', 'nin', 'contains', 'exists'])
  .describe('`in` and `nin` take a list, `exists` true or false')

const measure = z
  .strictObject({
    fn: z.enum(['count', 'uniq', 'sum', 'avg', 'min', 'max', 'quantile']),
    field: field.optional().describe('Needed but for `count`'),
    q: z.number().min(0).max(1).optional().describe('Of `quantile`'),
    as: name.describe('Name of the column'),
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
    groupBy: z.array(field).max(10).default([]).describe('Each is a column under its own name'),
    interval: z
      .string()
      .refine(
        (text) => parseInterval(text) !== undefined,
        'a number and one of s m h d w M q y is expected, such as 1d',
      )
      .optional()
      .describe(
        'A number from 1 to 10,000 and one of s m h d w M q y; adds the column `time`, the start of the bucket in UTC',
      ),
    range: z
      .strictObject({ from: instant.optional(), to: instant.optional() })
      .default({})
      .describe('`from` ≤ `time` < `to`'),
    filters: z.array(z.strictObject({ field, op, value })).max(100).default([]).describe('All must hold'),
    having: z
      .array(z.strictObject({ field: name, op, value }))
      .max(50)
      .default([])
      .describe('The same about measures: `field` is the `as` of one'),
    orderBy: z
      .array(z.strictObject({ by: name, dir: z.enum(['asc', 'desc']).default('asc') }))
      .max(20)
      .default([])
      .describe('By columns; then by the groups, ascending'),
    limit: z.int().min(1).max(10_000).default(100).describe('Most rows in the answer'),
    after: z.string().min(1).max(20_000).optional().describe('A `position`: wait until everything up to it is visible'),
  })
  .meta({ id: 'Query' })

/** @throws AppError REQUEST_INVALID; `details.problems` lists the JSON path of each problem */
export function parseQueryRequest(body: unknown): { input: AggregateInput; after: string | undefined } {
  const { interval, after, ...rest } = checked(queryRequest, body, '$')
  return { input: { ...rest, interval: interval === undefined ? undefined : parseInterval(interval) }, after }
}
