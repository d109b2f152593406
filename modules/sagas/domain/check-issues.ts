import type { z } from 'zod'
import type { Path, Problems } from './check-problems.ts'

type Issue = z.core.$ZodIssue

/** Says what the schema found, in words for the author of the definition. `base`: where the validated value is in it. */
export function reportIssues(issues: readonly Issue[], value: unknown, base: Path, problems: Problems): void {
  for (const issue of issues) report(issue, value, base, problems)
}

function report(issue: Issue, root: unknown, base: Path, problems: Problems): void {
  const path = [...base, ...issue.path]
  switch (issue.code) {
    case 'unrecognized_keys':
      for (const key of issue.keys) problems.add([...path, key], 'there is no such member here')
      return
    case 'invalid_type':
      return problems.add(path, wrongType(issue.expected, valueAt(root, issue.path)))
    case 'invalid_value':
      return problems.add(path, `one of ${issue.values.join(', ')} is expected`)
    case 'too_big':
      return problems.add(path, `${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}${unitOf(issue.origin)}`)
    case 'too_small':
      return problems.add(path, `${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}${unitOf(issue.origin)}`)
    case 'invalid_key':
      return problems.add(path, `not a name that can be used here: ${issue.issues[0]?.message ?? issue.message}`)
    case 'invalid_union':
      return reportUnion(issue.errors, root, path, issue.path, problems)
    default:
      return problems.add(path, issue.message)
  }
}

/** The form that fits best is the one that was meant. */
function reportUnion(
  forms: readonly Issue[][],
  root: unknown,
  path: Path,
  at: readonly PropertyKey[],
  problems: Problems,
) {
  const [best, next] = [...forms].sort((one, other) => one.length - other.length)
  if (best === undefined || best.length === next?.length) {
    const members = forms.flat().flatMap((issue) => (issue.code === 'invalid_type' ? issue.path.map(String) : []))
    const names = [...new Set(members)].join(', ')
    return problems.add(
      path,
      names === '' ? 'this has none of the forms that are possible here' : `exactly one of ${names} is expected`,
    )
  }
  reportIssues(best, valueAt(root, at), path, problems)
}

const names: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
}

function wrongType(expected: string, found: unknown): string {
  const wanted = names[expected] ?? expected
  if (found === undefined) return `is missing; ${wanted} is expected`
  const type = found === null ? 'null' : Array.isArray(found) ? 'a list' : (names[typeof found] ?? typeof found)
  return type === wanted || (expected === 'int' && type === 'a number')
    ? `${wanted} is expected`
    : `${wanted} is expected, not ${type}`
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Readonly<Record<PropertyKey, unknown>>)[part]
  }
  return value
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters'
  return origin === 'array' ? ' of these' : ''
}
