import { catalogue, type ErrorCode, type Operation } from '@splitstream/kernel'
import type { Json } from './schemas.ts'

const codes = Object.keys(catalogue) as ErrorCode[]

/** Every error of the catalogue, with its status and what it means. */
export const errorCode: Json = {
  type: 'string',
  description: 'Stable: compare it, not the texts. The catalogue with all codes.',
  enum: codes,
  'x-enumDescriptions': Object.fromEntries(
    codes.map((code) => {
      const { status, title, retryable } = catalogue[code]
      return [code, `${status}. ${title}.${retryable ? ' The same request can succeed later.' : ''}`]
    }),
  ),
}

/** RFC 9457. */
export const problem: Json = {
  type: 'object',
  description: 'RFC 9457 problem document. Members beyond `requestId` are of some codes only, and there may be more.',
  properties: {
    type: { type: 'string', format: 'uri', description: '`urn:splitstream:problem:` and the code' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { $ref: '#/components/schemas/ErrorCode' },
    detail: { type: 'string' },
    instance: { type: 'string', description: 'The path of the request' },
    requestId: { type: 'string', description: 'Finds the request in the log' },
    problems: {
      type: 'array',
      description: 'Of REQUEST_INVALID and UNPROCESSABLE: what is wrong, and where',
      items: {
        type: 'object',
        properties: { path: { type: 'string' }, detail: { type: 'string' } },
        required: ['path', 'detail'],
      },
    },
    errors: { type: 'array', items: { $ref: '#/components/schemas/ItemError' }, description: 'Of BATCH_REFUSED' },
    accepted: { type: 'integer', description: 'Of BATCH_REFUSED: 0' },
    rejected: { type: 'integer', description: 'Of BATCH_REFUSED' },
    limit: { type: 'integer', description: 'Of BODY_TOO_LARGE: bytes' },
    allow: { type: 'string', description: 'Of METHOD_NOT_ALLOWED: as in the header Allow' },
    saga: { type: 'string', description: 'Of IDEMPOTENCY_KEY_REUSED: what was started with the key' },
    order: { type: 'string', description: 'Of CONFLICT: names the refused order in the history of the saga' },
    'violated-policies': { type: 'array', items: { type: 'string' }, description: 'Of RATE_LIMITED' },
  },
  required: ['type', 'title', 'status', 'code'],
}

/** What may be wrong with any request of this kind (serve.ts), and with this one. By status. */
export function problemsOf(operation: Operation): Map<number, ErrorCode[]> {
  const { scope, body, bodyOptional, problems = [] } = operation
  const possible = new Set<ErrorCode>([
    'REQUEST_INVALID',
    'HEADER_INVALID',
    ...(body ? bodyProblems(bodyOptional) : []),
    ...(scope === 'public' ? [] : keyProblems),
    ...(isLimited(operation) ? (['RATE_LIMITED'] as const) : []),
    'NOT_ACCEPTABLE',
    'INTERNAL',
    'OVERLOADED',
    'DEADLINE_EXCEEDED',
    ...problems,
  ])
  return Map.groupBy(
    codes.filter((code) => possible.has(code)),
    (code) => catalogue[code].status,
  )
}

/** Quotas are for the work of clients (quota/quotas.ts). */
export const isLimited = ({ scope }: Operation): boolean => scope !== 'public' && scope !== 'admin'

const keyProblems: readonly ErrorCode[] = ['UNAUTHENTICATED', 'FORBIDDEN', 'UNAVAILABLE', 'STOPPING']

const bodyProblems = (optional = false): readonly ErrorCode[] => [
  'BODY_MALFORMED',
  ...(optional ? [] : (['BODY_EMPTY'] as const)),
  'BODY_TOO_LARGE',
  'MEDIA_TYPE_UNSUPPORTED',
  'ENCODING_UNSUPPORTED',
  'REQUEST_TIMEOUT',
]

const waits: ReadonlySet<number> = new Set([429, 503, 507])

/** Longer names would say less than the answer itself. */
const maxNamed = 5

/** The answers that operations have in common, by the codes that they may have. */
export class ProblemResponses {
  readonly #named = new Map<string, Json>()

  /** A reference, or the answer itself where it is of one operation. */
  of(among: readonly ErrorCode[]): Json {
    if (among.length > maxNamed) return problemResponse(among)
    const name = among.join('-')
    if (!this.#named.has(name)) this.#named.set(name, problemResponse(among))
    return { $ref: `#/components/responses/${name}` }
  }

  /** By name. */
  components(): Json {
    return Object.fromEntries([...this.#named].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

/** The answer for these codes, which have one status. */
export function problemResponse(among: readonly ErrorCode[]): Json {
  const status = catalogue[among[0]!].status
  return {
    description: among.map((code) => `\`${code}\`: ${catalogue[code].title}.`).join(' '),
    headers: {
      ...Object.fromEntries(
        ['Request-Id', 'RateLimit', 'RateLimit-Policy'].map((name) => [name, { $ref: `#/components/headers/${name}` }]),
      ),
      ...(waits.has(status) && { 'Retry-After': { $ref: '#/components/headers/Retry-After' } }),
    },
    content: {
      'application/problem+json': {
        schema: {
          allOf: [{ $ref: '#/components/schemas/Problem' }],
          properties: { status: { const: status }, code: { enum: among } },
        },
      },
    },
  }
}
