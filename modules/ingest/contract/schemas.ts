import { z } from 'zod'
import type { ItemError, Receipt } from './ports.ts'

/*
 * What ingest takes and gives over public HTTP, as schemas for the OpenAPI document. Answers are described by them, here and in
 * other modules. Events are not checked by them but by one pass over their bytes (domain/event-encoder.ts), which checks more;
 * a test holds the two against each other.
 */

const name = z.string().min(1).max(1_024)

const attributes = {
  id: name.describe('With `source` it identifies the event: the same pair again is the same event'),
  source: name,
  type: name,
  subject: z.string().max(1_024).optional().describe('Events of one subject are kept in order'),
  time: z
    .string()
    .optional()
    .meta({ format: 'date-time', description: '1900 to 2299, at most 24 hours ahead; the time of arrival if absent' }),
  datacontenttype: z.string().max(1_024).optional(),
  dataschema: z.string().max(1_024).optional(),
  data: z.unknown().optional().describe('Any JSON value'),
  data_base64: z.base64().optional().describe('Binary data, in place of `data`'),
}
const specversion = z.literal('1.0')
const extension = z.union([z.string(), z.number(), z.boolean()])

export const cloudEventSchema = z
  .object({ specversion, ...attributes })
  .catchall(extension)
  .meta({
    id: 'CloudEvent',
    description:
      'A CloudEvents 1.0 event in JSON. Further members are extension attributes: lower-case letters and digits',
  })

/** An event as plain JSON has it: the version may be left out. */
export const eventSchema = z
  .object({ specversion: specversion.optional(), ...attributes })
  .catchall(extension)
  .meta({ id: 'Event', description: 'A CloudEvent whose `specversion` may be left out' })

export const itemErrorSchema = z
  .object({
    index: z.int().min(0).describe('Place in the request, from 0'),
    code: z.string().describe('A code of the error catalogue'),
    detail: z.string(),
  })
  .meta({ id: 'ItemError', description: 'An event that was not accepted' }) satisfies z.ZodType<ItemError>

const counts = {
  accepted: z.int().min(0),
  rejected: z.int().min(0),
  duplicates: z.int().min(0).describe('Accepted events that repeat an earlier one of the same request'),
}

const repeated = z.array(z.int().min(0)).describe('The places of those, from 0; the first 1,000')

/** As the port gives it: other modules hand it on. */
export const receiptSchema = z
  .object({
    ...counts,
    repeated: repeated.optional(),
    position: z.string().optional(),
    errors: z.array(itemErrorSchema),
  })
  .meta({ id: 'Receipt', description: 'What became of events that were sent again' }) satisfies z.ZodType<Receipt>

export const appendedSchema = z
  .object({
    ...counts,
    repeated,
    position: z
      .string()
      .nullable()
      .describe('For `after` of a query; null while the events are durable and have no place in the log yet'),
    errors: z.array(itemErrorSchema).describe('The first 1,000 of those that were rejected'),
  })
  .meta({ id: 'Appended', description: 'What became of the events' })
