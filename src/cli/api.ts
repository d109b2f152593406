import { AppError, codeOf } from '@splitstream/kernel'

/** Which server, with which key. */
export interface Connection {
  readonly url: string
  readonly key: string
}

export interface ApiAnswer {
  readonly status: number
  readonly body: unknown
}

export type ApiMethod = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** One request to the API. @throws TypeError or TimeoutError (fetch) when no answer came. */
export async function call(
  { url, key }: Connection,
  method: ApiMethod,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<ApiAnswer> {
  const answer = await fetch(url.replace(/\/$/, '') + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      accept: 'application/json, application/problem+json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(60_000),
  })
  const text = await answer.text()
  try {
    return { status: answer.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) }
  } catch {
    return { status: answer.status, body: text }
  }
}

/** The same, for a caller that wants the answer's JSON. @throws AppError with the server's code and detail. */
export async function ask<T>(
  connection: Connection,
  method: ApiMethod,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
): Promise<T> {
  const answer = await call(connection, method, path, body, headers)
  if (answer.status < 300) return answer.body as T
  throw problemOf(answer)
}

/** An answer that is a problem document, as an error with the server's code and detail. */
export function problemOf({ status, body }: ApiAnswer): AppError {
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  const text = String(problem.detail ?? problem.title ?? body)
  const code = codeOf(Object.assign(new Error(text), { code: problem.code }))
  return new AppError(code, `${status} ${String(problem.code ?? '')}: ${text}`)
}
