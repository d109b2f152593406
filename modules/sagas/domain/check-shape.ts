import type { z } from 'zod'
import { reportIssues } from './check-issues.ts'
import type { Path, Problems } from './check-problems.ts'
import { blocksIn, membersOf } from './check-size.ts'
import { levels, stepKinds } from './definition.ts'

/** Does each part have the members that it may have, each of the right type? Step by step, so that each is told on its own. */
export function checkShape(body: unknown, problems: Problems): void {
  checkLevel(levels.definition, body, [], problems)
  const { steps } = membersOf(body)
  if (!Array.isArray(steps)) return
  if (steps.length === 0) problems.add(['steps'], 'at least one step is expected')
  checkBlock(steps, ['steps'], problems)
}

function checkBlock(block: readonly unknown[], path: Path, problems: Problems): void {
  for (const [i, step] of block.entries()) checkStep(step, [...path, i], problems)
}

function checkStep(step: unknown, path: Path, problems: Problems): void {
  if (typeof step !== 'object' || step === null || Array.isArray(step)) {
    return problems.add(path, 'a step is expected: an object with an id and what it does')
  }
  const kinds = stepKinds.filter((kind) => Object.hasOwn(step, kind) && membersOf(step)[kind] !== undefined)
  const [kind] = kinds
  if (kind === undefined) return problems.add(path, whatKind(step))
  if (kinds.length > 1) {
    return problems.add(path, `a step does one thing; this one has ${kinds.join(' and ')}: make a step of each`)
  }
  checkLevel(levels[kind], step, path, problems)
  if (kind !== 'parallel' && kind !== 'choice') return
  for (const [block, at] of blocksIn(step)) {
    if (!Array.isArray(block)) continue
    if (kind === 'parallel' && block.length === 0) problems.add([...path, ...at], 'a branch without steps')
    checkBlock(block, [...path, ...at], problems)
  }
}

function whatKind(step: object): string {
  const known: readonly string[] = ['id', 'output', 'retry', 'timeout', 'compensate', 'pivot', 'otherwise']
  const others = Object.keys(step).filter((name) => !known.includes(name))
  const found = others.length === 0 ? '' : `; found ${others.slice(0, 5).join(', ')}`
  return `a step needs one of ${stepKinds.join(', ')}${found}`
}

function checkLevel(schema: z.ZodType, value: unknown, path: Path, problems: Problems): void {
  const result = schema.safeParse(value)
  if (!result.success) reportIssues(result.error.issues, value, path, problems)
}
