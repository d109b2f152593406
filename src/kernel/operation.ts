import type { Call } from './call.ts'
import type { ErrorCode } from './errors.ts'
import type { Route, RouteRequest, RouteResponse } from './http.ts'
import { checked, type ObjectSchema, type Schema } from './schema.ts'

/** A body: what is in it, with examples by name. Servers take the examples of requests; a test sends them. */
export interface Content {
  /** Absent for what is not JSON. */
  readonly schema?: Schema
  readonly examples?: Readonly<Record<string, unknown>>
}

/** By media type. */
export type Contents = Readonly<Record<string, Content>>

export interface Answer {
  readonly description: string
  readonly content?: Contents
  /** Those of this answer, each with its schema; those that all answers have are not named. */
  readonly headers?: Readonly<Record<string, Schema>>
}

/**
 * A public route as it is described: everything but what carries it out (`routesOf` joins the two). The schemas here are those
 * that check requests, and the OpenAPI document is made of them. Its key in `Operations` is its operationId.
 */
export interface Operation extends Omit<Route, 'query' | 'accepts' | 'produces' | 'bodyOptional' | 'handle'> {
  readonly tag: string
  /** More than the summary says; CommonMark. */
  readonly description?: string
  /** Of the path. */
  readonly params?: ObjectSchema
  readonly query?: ObjectSchema
  /** Request headers that mean something here, with schemas. The route reads them itself. */
  readonly headers?: Readonly<Record<string, Schema>>
  readonly body?: Contents
  readonly bodyOptional?: boolean
  /** Media types that are taken, where they are not just those of `body`. */
  readonly accepts?: readonly string[]
  /** By status: all that are no problem documents. */
  readonly answers: Readonly<Record<number, Answer>>
  /** What else may be wrong than with any request of this kind. */
  readonly problems?: readonly ErrorCode[]
}

export type Operations = Readonly<Record<string, Operation>>

type Output<S, None> = S extends Schema<infer T> ? T : None
type Given = Readonly<Record<string, string>>

/** What carries an operation out. Its parameters are checked before. */
export type Handler<O extends Operation> = (
  request: Omit<RouteRequest, 'params' | 'query'> & {
    readonly params: Output<O['params'], Given>
    readonly query: Output<O['query'], Given>
  },
  call: Call,
) => Promise<RouteResponse>

/** The operations with what carries them out: none without, and nothing that is not described. */
export function routesOf<O extends Operations>(
  operations: O,
  handlers: { readonly [Id in keyof O]: Handler<O[Id]> },
): Route[] {
  return Object.entries(operations).map(([id, operation]) => routeOf(operation, handlers[id]! as Handler<Operation>))
}

function routeOf(operation: Operation, handle: Handler<Operation>): Route {
  const { params, query, body, answers } = operation
  const accepts = operation.accepts ?? (body && Object.keys(body))
  const produces = Object.values(answers).flatMap(({ content = {} }) => Object.keys(content))
  const readParams = readerOf(params)
  const readQuery = readerOf(query)
  return {
    ...operation,
    query: Object.keys(query?.shape ?? {}),
    ...(accepts && { accepts }),
    ...(produces.length > 0 && { produces: [...new Set(produces)] }),
    // Asynchronous, so that a parameter that is refused rejects like everything else.
    handle: async (request, call) =>
      handle({ ...request, params: readParams(request.params), query: readQuery(request.query) }, call),
  } as Route
}

/** Most requests have no parameters: what is made of none is made once. */
function readerOf(schema: ObjectSchema | undefined): (given: Given) => Given {
  if (!schema) return (given) => given
  let ofNone: unknown
  return (given) => {
    for (const _ in given) return checked(schema, given) as Given
    ofNone ??= Object.freeze(checked(schema, given))
    return ofNone as Given
  }
}

/** A JSON body. */
export const jsonContent = (schema: Schema, examples?: Content['examples']): Contents => ({
  'application/json': { schema, ...(examples && { examples }) },
})
