/** An error with the engine's numeric and symbolic code. */
export class EngineError extends Error {
  readonly number: number
  readonly type: string

  constructor(number: number, type: string, message: string) {
    super(message)
    this.name = 'EngineError'
    this.number = number
    this.type = type
  }
}

/** Statuses that the server gives to codes; all others are 500. */
const statuses: Readonly<Record<number, number>> = {
  36: 400,
  46: 404,
  47: 404,
  60: 404,
  62: 400,
  73: 400,
  81: 404,
  115: 404,
  159: 408,
  202: 503,
  241: 500,
  394: 500,
  456: 400,
  457: 400,
  497: 403,
  516: 401,
} // prettier-ignore

/** Any thrown value as the ClickHouse HTTP interface shows it. */
export function toHttp(error: unknown): { status: number; number: number; body: string } {
  if (error instanceof EngineError) {
    const body = `Code: ${error.number}. DB::Exception: ${error.message}. (${error.type}) (version embedded)\n`
    return { status: statuses[error.number] ?? 500, number: error.number, body }
  }
  const message = error instanceof Error ? error.message : String(error)
  // The binding wraps the engine's text once more in the same form.
  const text = message.replace(/^(Code: \d+\. DB::Exception: )(?=Code: \d+\.)/, '')
  const number = Number(/Code: (\d+)\./.exec(text)?.[1] ?? 1001)
  const body = /^Code: \d+\./.test(text) ? text : `Code: 1001. DB::Exception: ${text}. (STD_EXCEPTION)`
  return { status: statuses[number] ?? 500, number, body: `${body}\n` }
}
