import type { Contents, Operation, Schema } from '@splitstream/kernel'
import { isLimited, type ProblemResponses, problemResponse, problemsOf } from './problems.ts'
import type { Json, Schemas, Side } from './schemas.ts'

/** What operations have in common is kept here. */
export interface Parts {
  readonly schemas: Schemas
  readonly problems: ProblemResponses
}

/** @param path as the document has it: its parameters may have other names than the route's, in the same order */
export function describeOperation(id: string, operation: Operation, path: string, { schemas, problems }: Parts): Json {
  const { tag, summary, scope, body, bodyOptional } = operation
  const parameters = parametersOf(operation, path, schemas)
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: descriptionOf(operation),
    security: scope === 'public' ? [] : [{ key: [scope] }],
    parameters,
    ...(body && { requestBody: { required: !bodyOptional, content: contentOf(body, 'input', schemas) } }),
    responses: responsesOf(operation, { schemas, problems }),
  }
}

function descriptionOf({ scope, operator, description, maxBodyBytes }: Operation): string {
  const who =
    scope === 'public' ? 'No key is needed.' : `Scope: \`${scope}\`${operator ? ", with the operator's key" : ''}.`
  const limit = maxBodyBytes === undefined ? '' : `The body has ${maxBodyBytes} bytes at most.`
  return [description, limit, who].filter(Boolean).join(' ')
}

function parametersOf(operation: Operation, path: string, schemas: Schemas): Json[] {
  const { params, query, headers = {}, body } = operation
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
  const given = [...operation.path.matchAll(/:(\w+)/g)].map(([, name]) => name!)
  const described = new Map(params && schemas.membersOf(params, 'input').map(({ name, schema }) => [name, schema]))
  const inPath = names.map((name, i): Json => {
    const schema = described.get(given[i]!)
    if (!schema) throw new TypeError(`${operation.method} ${operation.path}: the parameter ${given[i]} has no schema`)
    return { name, in: 'path', required: true, ...lifted(schema) }
  })
  const inQuery = query
    ? schemas.membersOf(query, 'input').map(({ name, schema, required }) => ({
        ...{ name, in: 'query' },
        ...(required && { required }),
        ...lifted(schema),
      }))
    : []
  const inHeaders = Object.entries(headers).map(([name, schema]) => ({
    ...{ name, in: 'header' },
    ...lifted(schemas.of(schema, 'input')),
  }))
  const common = [...(body ? ['Content-Encoding'] : []), 'traceparent']
  return [...inPath, ...inQuery, ...inHeaders, ...common.map((name) => ({ $ref: `#/components/parameters/${name}` }))]
}

/** The description stands beside the schema, not in it. */
function lifted({ description, ...schema }: Json): Json {
  return { ...(description !== undefined && { description }), schema }
}

function contentOf(contents: Contents, side: Side, schemas: Schemas): Json {
  const entries = Object.entries(contents).map(([type, { schema, examples }]) => [
    type,
    {
      ...(schema && { schema: schemas.of(schema, side) }),
      ...(examples && {
        examples: Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }])),
      }),
    },
  ])
  return Object.fromEntries(entries) as Json
}

function responsesOf(operation: Operation, { schemas, problems }: Parts): Json {
  const responses: Record<string, Json> = {}
  for (const [status, { description, content, headers = {} }] of Object.entries(operation.answers)) {
    responses[status] = {
      description,
      headers: { ...commonHeaders(operation), ...headersOf(headers, schemas) },
      ...(content && { content: contentOf(content, 'output', schemas) }),
    }
  }
  for (const [status, codes] of problemsOf(operation)) {
    const answer = responses[status]
    responses[status] = answer ? joined(answer, problemResponse(codes)) : problems.of(codes)
  }
  return responses
}

/** One status that is an answer, and a problem too. */
function joined(answer: Json, problem: Json): Json {
  return {
    description: `${answer.description}. Or a problem. ${problem.description}`,
    headers: { ...(problem.headers as Json), ...(answer.headers as Json) },
    content: { ...(answer.content as Json), ...(problem.content as Json) },
  }
}

function commonHeaders(operation: Operation): Json {
  const names = ['Request-Id', ...(isLimited(operation) ? ['RateLimit', 'RateLimit-Policy'] : [])]
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}

const headersOf = (headers: Readonly<Record<string, Schema>>, schemas: Schemas): Json =>
  Object.fromEntries(Object.entries(headers).map(([name, schema]) => [name, lifted(schemas.of(schema, 'output'))]))
