import { z } from 'zod'

const request = z.strictObject({
  method: z.enum(['POST', 'PUT', 'PATCH', 'DELETE']).optional().describe('POST when not given'),
  path: z.string().startsWith('/'),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.json().optional(),
})

const common = {
  url: z.url({ protocol: /^https?$/ }).describe('Where the participant is; paths follow it'),
  do: request.describe('The forward call of a step. `{{saga}}` in its strings becomes the id of the saga'),
  undo: request.describe('Its undo'),
  refused: request.describe('A forward call that business refuses for good'),
  other: request.optional().describe('`do` with another payload; a member is added to its body when not given'),
  unit: z.number().optional().describe('What one forward call adds to the number that is observed; 1 when not given'),
  secret: z.string().optional().describe('whsec_…, when the participant checks signatures'),
  cases: z.array(z.string()).optional().describe('Names of the cases to run; all twelve when not given'),
  timeoutMs: z
    .int()
    .min(100)
    .max(60_000)
    .optional()
    .describe('For one request, and for its copies until one is final; 10,000 when not given'),
}

/** As a file holds it: the number is observed by a GET of JSON. */
const file = z.strictObject({
  ...common,
  observe: z.strictObject({
    path: z.string().startsWith('/'),
    pointer: z
      .string()
      .regex(/^(\/[^/]*)*$/)
      .describe('JSON Pointer to the number in the answer; empty for all of it'),
  }),
})

export type CallTemplate = z.infer<typeof request>

export interface ConformanceOptions extends Readonly<Omit<z.infer<z.ZodObject<typeof common>>, 'cases'>> {
  readonly cases?: readonly string[] | undefined
  /** What is in force by now: effects counted, or a balance. Nobody else may change it during the run. */
  observe(): Promise<number>
}

/** @throws Error that names each member which is missing or wrong */
export function parseConformance(json: unknown): ConformanceOptions {
  const parsed = file.safeParse(json)
  if (!parsed.success)
    throw new Error(`The description of the participant is not valid:\n${z.prettifyError(parsed.error)}`)
  const { observe, ...options } = parsed.data
  return { ...options, observe: () => observeJson(new URL(options.url + observe.path), observe.pointer) }
}

async function observeJson(url: URL, pointer: string): Promise<number> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) })
  let value: unknown = await response.json()
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
  }
  if (typeof value !== 'number') throw new Error(`GET ${url} has no number at "${pointer}"`)
  return value
}
