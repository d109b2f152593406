import { type Placed, relate, surelyRuns } from './check-flow.ts'
import type { Path, Problems } from './check-problems.ts'
import { type Use, usesOf } from './check-uses.ts'
import type { SagaDefinition } from './definition.ts'
import { ExpressionError, readsOf } from './expression.ts'
import type { Json } from './json.ts'

/** Do all expressions compile, and read only what is there when they are evaluated? */
export function checkExpressions(definition: SagaDefinition, placed: readonly Placed[], problems: Problems): void {
  const byId = new Map(placed.map((one) => [one.step.id, one]))
  for (const use of usesOf(definition, placed)) checkValue(use.value, use.path, use, byId, problems)
}

type ById = ReadonlyMap<string, Placed>

function checkValue(value: Json, path: Path, use: Use, byId: ById, problems: Problems): void {
  if (problems.full) return
  if (typeof value === 'string') return checkText(value, path, use, byId, problems)
  if (value === null || typeof value !== 'object') return
  for (const [name, member] of Object.entries(value)) {
    checkValue(member as Json, [...path, Array.isArray(value) ? Number(name) : name], use, byId, problems)
  }
}

function checkText(text: string, path: Path, use: Use, byId: ById, problems: Problems): void {
  try {
    for (const read of new Set(readsOf('steps', text, use.form, use.names))) {
      const why = read
        ? whyNot(read.member, read.guarded, use, byId)
        : 'steps[…] must name the step as it is, in quotes'
      if (why !== undefined) problems.add(path, why)
    }
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    problems.add(path, error.message)
  }
}

/** Why the output of step `id` cannot be read here; undefined when it can. */
function whyNot(id: string, guarded: boolean, { when, reader }: Use, byId: ById): string | undefined {
  const target = byId.get(id)
  if (target === undefined) return `there is no step ${id}`
  if ('parallel' in target.step || 'choice' in target.step) {
    return `step ${id} has no output of its own; name one of the steps in it`
  }
  const maybe = guarded ? undefined : `may not be there: write has(steps.${id}) ? … : … around it, or steps.?${id}`
  if (reader === undefined) return surelyRuns(target) ? undefined : maybe && `steps.${id} ${maybe}`
  const relation = relate(target, reader)
  if (relation === 'apart') return `step ${id} is in another branch of a choice: both never run`
  if (relation === 'before' && surelyRuns(target, reader)) return undefined
  if (when === 'undo') {
    if (relation !== 'same') return maybe && `when this is undone, steps.${id} ${maybe}`
    return maybe && `an undo is also owed when the call had no answer, and then steps.${id} ${maybe}`
  }
  switch (relation) {
    case 'same':
      return `steps.${id} is not there before the step itself is done`
    case 'after':
      return `step ${id} runs only after this one`
    case 'beside':
      return `step ${id} is in another branch of a parallel: whether it is done by then is chance`
    default:
      return maybe && `step ${id} is in a choice, so steps.${id} ${maybe}`
  }
}
