import { numberIn } from '@splitstream/kernel'
import { type Filter, parseInstant } from '@splitstream/storage/contract'
import { z } from 'zod'
import { parseWhere } from '../domain/where.ts'

/** An empty parameter counts as absent. */
const given = (text: unknown): unknown => (text === '' ? undefined : text)
const text = z.preprocess(given, z.string().optional())

/** In a query string an unescaped + of an offset arrives as a space. */
const mended = (value: unknown): unknown =>
  typeof value === 'string' ? given(value.replace(/ (?=\d\d:\d\d$)/, '+')) : value
const instant = z.preprocess(
  mended,
  z
    .string()
    .refine(
      (value) => parseInstant(value) !== undefined,
      'an RFC 3339 instant is expected, such as 2001-02-03T04:05:06Z',
    )
    .meta({ format: 'date-time' })
    .optional(),
)

const where = z
  .string()
  .transform((value, ctx): readonly Filter[] => {
    const result = parseWhere(value)
    if (!('problem' in result)) return result.filters
    ctx.addIssue({ code: 'custom', message: `${result.problem}, at character ${result.at + 1}` })
    return z.NEVER
  })
  .optional()

const maxLimit = 10_000
const limit = z
  .int({ error: `a whole number from 1 to ${maxLimit} is expected` })
  .min(1)
  .max(maxLimit)
  .default(100)

/** Which events; the same for the list and for the live stream. */
export const filterParameters = {
  type: text.describe('Equal to this'),
  source: text.describe('Equal to this'),
  subject: text.describe('Equal to this'),
  where: z
    .preprocess(given, where)
    .describe('Up to 50 comparisons joined by `and`, such as `data.total>60 and data.city="New York"`'),
}

export const after = text.describe('A `position`: wait until everything up to it is visible')

/** The parameters of GET /v1/events. */
export const listParameters = z.strictObject({
  ...filterParameters,
  from: instant.describe('`from` ≤ `time`'),
  to: instant.describe('`time` < `to`'),
  limit: z.preprocess((value) => numberIn(given(value)), limit).describe('Most events in the answer'),
  cursor: text.describe('`next` of the page before, for the same conditions'),
  after,
})

const filterSchema = z.strictObject(filterParameters)

/** The filters that type, source, subject and where stand for. */
export function filtersOf(query: z.infer<typeof filterSchema>): Filter[] {
  const equal = (['type', 'source', 'subject'] as const).flatMap((field): Filter[] => {
    const value = query[field]
    return value === undefined ? [] : [{ field, op: 'eq', value }]
  })
  return [...equal, ...(query.where ?? [])]
}
