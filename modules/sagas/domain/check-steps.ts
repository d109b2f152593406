import { parseField, parseInstant } from '@splitstream/storage/contract'
import type { Placed } from './check-flow.ts'
import type { Path, Problems } from './check-problems.ts'
import { checkPositive } from './check-times.ts'
import type { Step, WaitForStep } from './definition.ts'

/** Names of sagas stand in URLs. */
const nameOfSaga = /^[A-Za-z][A-Za-z0-9._-]{0,127}$/
/** Words of the expression language, which cannot follow the dot of `steps.` */
const words: readonly string[] = ['true', 'false', 'null', 'in']

/** @returns why it cannot name a saga; undefined when it can */
export function whyNoSagaName(name: string): string | undefined {
  if (nameOfSaga.test(name) && !(name in {})) return undefined
  return 'a letter is expected, then letters, digits, dots, dashes and underscores; 128 at most'
}

/** @returns why it cannot be an id of a step or participant, though it looks like one */
export function whyNoId(id: string): string | undefined {
  return words.includes(id) || id in {} ? `${id} has a meaning of its own; take another name` : undefined
}

/** What is to be checked of each step by itself, and that ids are unique. */
export function checkSteps(name: string, placed: readonly Placed[], problems: Problems): void {
  const seen = new Set<string>()
  for (const { step, path } of placed) {
    const why = seen.has(step.id) ? `another step is called ${step.id} too` : whyNoId(step.id)
    if (why !== undefined) problems.add([...path, 'id'], why)
    seen.add(step.id)
    checkStep(name, step, path, problems)
  }
}

function checkStep(name: string, step: Step, path: Path, problems: Problems): void {
  if ('waitFor' in step) return checkWaitFor(step, [...path, 'waitFor'], problems)
  if ('wait' in step && 'until' in step.wait) checkUntil(step.wait.until, [...path, 'wait', 'until'], problems)
  if ('child' in step) {
    const why = step.child.saga === name ? 'a saga cannot be its own child' : whyNoSagaName(step.child.saga)
    if (why !== undefined) problems.add([...path, 'child', 'saga'], why)
  }
  if ('lock' in step) {
    checkFilled(step.lock.key, [...path, 'lock', 'key'], problems)
    checkPositive(step.lock.timeout, [...path, 'lock', 'timeout'], problems)
  }
  if ('emit' in step) {
    for (const member of ['type', 'source', 'subject'] as const) {
      checkFilled(step.emit[member], [...path, 'emit', member], problems)
    }
  }
}

function checkWaitFor({ waitFor }: WaitForStep, path: Path, problems: Problems): void {
  checkPositive(waitFor.timeout, [...path, 'timeout'], problems)
  for (const [field, value] of Object.entries(waitFor.match)) {
    if (!isMatchable(field)) {
      problems.add([...path, 'match', field], 'no such field: source, subject, id, ext.name or data.path is expected')
    }
    if (typeof value === 'object') problems.add([...path, 'match', field], 'text, a number, true or false is expected')
  }
}

function isMatchable(text: string): boolean {
  const field = parseField(text)
  if (field === undefined || field.kind === 'data') return false
  return field.kind !== 'attribute' || ['source', 'subject', 'id'].includes(field.name)
}

function checkUntil(text: string, path: Path, problems: Problems): void {
  if (text.includes('${') || parseInstant(text) !== undefined) return
  problems.add(path, 'an RFC 3339 instant is expected, or ${…} around an expression that gives one')
}

function checkFilled(text: string | undefined, path: Path, problems: Problems): void {
  if (text === '') problems.add(path, 'at least one character is expected')
}
