import { lintOpenApi } from '../docs/openapi-lint.ts'

interface Content {
  readonly schema?: unknown
  examples?: Record<string, { readonly value: unknown }>
}
interface Header {
  readonly required?: boolean
  readonly $ref?: string
}
export interface DocumentedResponse {
  readonly $ref?: string
  readonly headers?: Readonly<Record<string, Header>>
  readonly content?: Readonly<Record<string, Content>>
}
export interface DocumentedOperation {
  readonly operationId: string
  readonly security: readonly unknown[]
  readonly requestBody?: { readonly content: Readonly<Record<string, Content>> }
  readonly responses: Record<string, DocumentedResponse>
}
export interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>
  readonly components: {
    readonly responses: Readonly<Record<string, DocumentedResponse>>
    readonly headers: Readonly<Record<string, Header>>
  }
}

export interface Asked {
  /** In the order of the path. */
  readonly params?: readonly string[]
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Media type of the body; JSON if absent. */
  readonly type?: string
  /** Instead of the client's. */
  readonly key?: string
}

interface Exchange {
  readonly path: string
  readonly method: string
  readonly status: string
  readonly type: string
  readonly headers: Headers
  readonly value: unknown
}

/** Headers that mean something to clients of this API; the rest is HTTP's. */
const ours = /^(splitstream-|ratelimit|location$|retry-after$|request-id$|idempotent-replayed$|age$|etag$)/

/** Speaks to a server by its OpenAPI document alone, and compares what comes with what the document says. */
export class DocumentedClient {
  readonly document: OpenApi
  readonly #url: string
  readonly #key: string
  readonly #exchanges: Exchange[] = []

  private constructor(document: OpenApi, url: string, key: string) {
    this.document = document
    this.#url = url
    this.#key = key
  }

  /** With the document that the server itself gives. */
  static async of({ url, adminKey }: { readonly url: string; readonly adminKey: string }): Promise<DocumentedClient> {
    const response = await fetch(`${url}/openapi.json`)
    return new DocumentedClient((await response.json()) as OpenApi, url, adminKey)
  }

  /** Every operation with its place. */
  operations(): { readonly path: string; readonly method: string; readonly operation: DocumentedOperation }[] {
    return Object.entries(this.document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
    )
  }

  async ask(id: string, asked: Asked = {}): Promise<{ status: number; code: string | undefined; json: unknown }> {
    const found = this.operations().find(({ operation }) => operation.operationId === id)
    if (!found) throw new Error(`there is no operation ${id}`)
    const { path, method } = found
    const { body, type = 'application/json' } = asked
    const response = await fetch(this.#url + targetOf(path, asked), {
      method: method.toUpperCase(),
      headers: {
        authorization: `Bearer ${asked.key ?? this.#key}`,
        ...(body !== undefined && { 'content-type': type }),
        ...asked.headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const { status, headers } = response
    const answered = headers.get('content-type')?.split(';')[0] ?? ''
    const text = await response.text()
    const value: unknown = answered.endsWith('json') ? JSON.parse(text) : text
    this.#exchanges.push({ path, method, status: String(status), type: answered, headers, value })
    return { status, code: (value as { code?: string } | null)?.code, json: value }
  }

  /** Answers since the last look that are not as the document says, a line each: they are put into it as examples, and the linter compares. */
  async misfits(): Promise<string[]> {
    const document = structuredClone(this.document)
    const found = this.#exchanges.splice(0).flatMap((exchange, i) => place(document, exchange, i))
    const badExample = /no-invalid-media-type-examples/
    return [...found, ...(await lintOpenApi(document)).filter((line) => badExample.test(line))]
  }
}

function targetOf(path: string, { params = [], query = {} }: Asked): string {
  let n = 0
  const filled = path.replace(/\{\w+\}/g, () => encodeURIComponent(params[n++] ?? ''))
  const search = new URLSearchParams(query).toString()
  return search === '' ? filled : `${filled}?${search}`
}

const byReference = <T>(components: Readonly<Record<string, T>>, reference: string): T =>
  components[reference.split('/').at(-1)!]!

/** Puts an answer where the document has it. @returns why there is no such place */
function place(document: OpenApi, { path, method, status, type, headers, value }: Exchange, n: number): string[] {
  const { responses } = document.paths[path]![method]!
  const where = `${method} ${path} ${status}`
  let response = responses[status]
  if (!response) return [`${where} is not in the document: ${JSON.stringify(value).slice(0, 300)}`]
  if (response.$ref) {
    response = structuredClone(byReference(document.components.responses, response.$ref))
    responses[status] = response
  }
  const known = new Set(Object.keys(response.headers ?? {}).map((name) => name.toLowerCase()))
  const unknown = [...headers.keys()].filter((name) => ours.test(name) && !known.has(name))
  const missing = Object.entries(response.headers ?? {}).filter(
    ([name, header]) =>
      (header.$ref ? byReference(document.components.headers, header.$ref) : header).required && !headers.has(name),
  )
  const problems = [
    ...unknown.map((name) => `${where}: the header ${name} is not in the document`),
    ...missing.map(([name]) => `${where}: the header ${name} is missing`),
  ]
  if (type === '') return problems
  const content = response.content?.[type]
  if (!content) return [...problems, `${where}: ${type} is not in the document`]
  content.examples ??= {}
  content.examples[`answer${n}`] = { value }
  return problems
}
