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

/** The status for a code, as the server has it (exceptionCodeToHTTPStatus), but 503 for overload; all others are 500. */
const statuses: readonly (readonly [number, readonly number[]])[] = [
  [
    400,
    [
      6, 25, 26, 27, 33, 34, 35, 36, 38, 41, 42, 43, 53, 62, 69, 70, 72, 117, 130, 131, 170, 321, 386, 441, 456, 457,
      467, 472, 552, 636,
    ],
  ],
  [401, [194]],
  [403, [192, 193, 497, 516]],
  [404, [46, 47, 50, 56, 60, 63, 73, 78, 81, 83, 115, 119, 128, 336, 342]],
  [408, [159]],
  [411, [381]],
  [501, [48]],
  [503, [202, 439, 999]],
] // prettier-ignore

export interface HttpError {
  readonly status: number
  readonly number: number
  readonly body: string
}

/** Any thrown value as the ClickHouse HTTP interface shows it: `Code: N. DB::Exception: …. (NAME) (version …)`. */
export function toHttp(error: unknown, version: string): HttpError {
  const { number, text } = error instanceof EngineError ? ours(error) : theirs(error)
  return { status: statusOf(number), number, body: `${text} (version ${version} (official build))\n` }
}

function statusOf(number: number): number {
  return statuses.find(([, numbers]) => numbers.includes(number))?.[0] ?? 500
}

function ours(error: EngineError): { number: number; text: string } {
  return { number: error.number, text: `Code: ${error.number}. DB::Exception: ${error.message}. (${error.type})` }
}

/** The engine wraps an error of the embedded client once more in the same form, and names our pipe. */
function theirs(error: unknown): { number: number; text: string } {
  const message = error instanceof Error ? error.message : String(error)
  const text = message
    .replace(/^Query failed: /, '')
    .replace(/^Code: \d+\. DB::Exception: (?=Code: \d+\.)/, '')
    .replace(/ \(version [^)]*\)\. \(\w+\)$/, '')
    .replace(/: \(in file\/uri [^)]*\)/, '')
    .replace(/ (FROM INFILE|INTO OUTFILE) '[^']*\/pipe\d+'( COMPRESSION 'none'| APPEND)?/g, '')
    .trimEnd()
  const number = /^Code: (\d+)\./.exec(text)?.[1]
  if (number === undefined) return { number: 1001, text: `Code: 1001. DB::Exception: ${text}. (STD_EXCEPTION)` }
  return { number: Number(number), text }
}
