import type { Call } from '@splitstream/kernel'
import { parseDefinition } from '../domain/check-definition.ts'
import { placeSteps } from '../domain/check-flow.ts'
import { type Problem, Problems } from '../domain/check-problems.ts'
import { checkWindows } from '../domain/check-windows.ts'
import type { SagaDefinition } from '../domain/definition.ts'
import type { SagaDeps } from './deps.ts'

export interface Published {
  readonly version: number
  /** False when the newest version says the same. */
  readonly fresh: boolean
  /** What will fail as things are now, and may be right by the time that a saga gets there; and what will need a person. */
  readonly warnings: readonly Problem[]
}

/** Publishes a version. @throws AppError UNPROCESSABLE with what is wrong, and where */
export async function publishDefinition(
  { definitions, plans }: SagaDeps,
  name: string,
  body: unknown,
  call: Call,
): Promise<Published> {
  const definition = parseDefinition(name, body)
  const published = await definitions.publish(call.tenant, name, definition, call.principal)
  plans.forget(call.tenant, name)
  const children = childrenOf(definition)
  const names = [...new Set(children.map(({ saga }) => saga))]
  const known = names.length === 0 ? new Set<string>() : await definitions.startable(call.tenant, names)
  const warnings = new Problems()
  checkWindows(definition, warnings)
  for (const { saga, path } of children) {
    if (!known.has(saga))
      warnings.add(path, `no saga ${saga} is published, or it is retired: the step fails until one is`)
  }
  return { ...published, warnings: warnings.list }
}

function childrenOf(definition: SagaDefinition) {
  return placeSteps(definition).flatMap(({ step, path }) =>
    'child' in step ? [{ saga: step.child.saga, path: [...path, 'child', 'saga'] }] : [],
  )
}
