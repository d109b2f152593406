import { numberIn } from '@splitstream/kernel'
import { parseInstant } from '@splitstream/storage/contract'
import { z } from 'zod'

const whole = (min: number, max: number) =>
  z
    .int({ error: `a whole number from ${min} to ${max} is expected` })
    .min(min)
    .max(max)

/** A query parameter that is a whole number. */
export const wholeNumber = (min: number, max: number) => z.preprocess(numberIn, whole(min, max).optional())

/** The same, with what it is when it is not given. */
export const wholeNumberOr = (otherwise: number, min: number, max: number) =>
  z.preprocess(numberIn, whole(min, max).default(otherwise))

/** The size of a page. */
export const pageSize = (otherwise = 100) => wholeNumberOr(otherwise, 1, 1_000).describe('Most entries in the answer')

/** A parameter that is there, or not. */
export const flag = z
  .literal('true', { error: 'true is expected' })
  .optional()
  .transform((text) => text === 'true')

/** ms since the epoch; ids of sagas are no finer than that. */
export const instantParameter = z
  .string()
  .refine((text) => parseInstant(text) !== undefined, 'an RFC 3339 instant is expected')
  .transform((text) => Math.ceil(parseInstant(text)! / 1_000))
  .meta({ format: 'date-time' })
  .optional()

/** `next` of a list. */
export const nextPage = (parameter: string) =>
  z.string().nullable().describe(`For \`${parameter}\`; null on the last page`)
