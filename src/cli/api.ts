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

/** One request to the API. @throws TypeError or TimeoutError (fetch) when no answer came. */
export async function call(
  { url, key }: Connection,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<ApiAnswer> {
  const answer = await fetch(url.replace(/\/$/, '') + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      accept: 'application/json, application/problem+json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
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
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<T> {
  const answer = await call(connection, method, path, body)
  if (answer.status < 300) return answer.body as T
  const problem = (typeof answer.body === 'object' && answer.body !== null ? answer.body : {}) as Record<
    string,
    unknown
  >
  const text = [problem.detail ?? problem.title ?? answer.body].map(String).join('')
  const error = new Error(text)
  const code = codeOf(Object.assign(error, { code: problem.code }))
  throw new AppError(code, `${answer.status} ${String(problem.code ?? '')}: ${text}`)
}
