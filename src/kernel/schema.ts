import { AppError } from './errors.ts'

/** What libraries for schemas have in common (https://standardschema.dev): the kernel needs none of them. Modules use zod. */
export interface Schema<T = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => Outcome<T> | Promise<Outcome<T>>
    readonly types?: { readonly output: T } | undefined
  }
}

/** Of an object, by the names of its members. */
export interface ObjectSchema<T = unknown> extends Schema<T> {
  readonly shape: Readonly<Record<string, unknown>>
}

type Outcome<T> = { readonly value: T; readonly issues?: undefined } | { readonly issues: readonly Issue[] }

interface Issue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** More are not listed. */
const maxProblems = 50

/**
 * The value as the schema makes it.
 * @param root what the paths of problems begin with: `$` for a body, nothing for parameters
 * @throws AppError REQUEST_INVALID; `details.problems` lists what is wrong, each with its JSON path
 */
export function checked<T>(schema: Schema<T>, value: unknown, root = ''): T {
  const outcome = schema['~standard'].validate(value)
  if (outcome instanceof Promise) throw new TypeError('a schema of requests is not asynchronous')
  if (!outcome.issues) return outcome.value
  const problems = outcome.issues
    .slice(0, maxProblems)
    .map(({ path = [], message }) => ({ path: jsonPath(root, path), detail: message }))
  const [first] = problems
  throw new AppError('REQUEST_INVALID', `${first!.path}: ${first!.detail}`, { details: { problems } })
}

function jsonPath(root: string, path: NonNullable<Issue['path']>): string {
  const keys = path.map((segment) => (typeof segment === 'object' ? segment.key : segment))
  const text = keys.reduce<string>((at, key) => at + (typeof key === 'number' ? `[${key}]` : `.${String(key)}`), root)
  return text.replace(/^\./, '')
}

/** For parameters that are whole numbers: the number that digits are. Anything else as it is, for the schema to refuse. */
export function numberIn(text: unknown): unknown {
  return typeof text === 'string' && /^\d{1,10}$/.test(text) ? Number(text) : text
}
