import { AppError } from '@splitstream/kernel'
import { checkExpressions } from './check-expressions.ts'
import { placeSteps } from './check-flow.ts'
import { checkPivots } from './check-pivot.ts'
import { Problems } from './check-problems.ts'
import { checkRequests } from './check-requests.ts'
import { checkShape } from './check-shape.ts'
import { checkSize } from './check-size.ts'
import { checkSteps, whyNoId, whyNoSagaName } from './check-steps.ts'
import { checkPositive } from './check-times.ts'
import { checkUndoOrder } from './check-undo.ts'
import { type SagaDefinition, sagaDefinition } from './definition.ts'

/**
 * Reads a definition as it was published under `name`, and checks all that can be known of it before it runs. Whether the
 * sagas that it starts as children exist is not known here.
 * @throws AppError UNPROCESSABLE; `details.problems` lists what is wrong, as JSONPath and reason, 50 at most
 */
export function parseDefinition(name: string, body: unknown): SagaDefinition {
  const problems = new Problems()
  if (checkSize(body, problems)) checkShape(body, problems)
  // What has the wrong shape cannot be asked what it means.
  if (problems.list.length > 0) throw refusal(name, problems)
  const definition = sagaDefinition.parse(body)
  checkMeaning(name, definition, problems)
  if (problems.list.length > 0) throw refusal(name, problems)
  return definition
}

function checkMeaning(name: string, definition: SagaDefinition, problems: Problems): void {
  const placed = placeSteps(definition)
  const badName = whyNoSagaName(name)
  if (badName !== undefined) problems.add([], `the saga cannot be called ${JSON.stringify(name)}: ${badName}`)
  for (const participant of Object.keys(definition.participants ?? {})) {
    const why = whyNoId(participant)
    if (why !== undefined) problems.add(['participants', participant], why)
  }
  checkPositive(definition.deadline, ['deadline'], problems)
  checkSteps(name, placed, problems)
  checkRequests(definition, placed, problems)
  checkPivots(placed, problems)
  checkUndoOrder(placed, problems)
  checkExpressions(definition, placed, problems)
}

function refusal(name: string, { list }: Problems): AppError {
  const first = list[0]!
  const more = list.length > 1 ? ` (and ${list.length - 1} more)` : ''
  const message = `The definition of saga ${name.slice(0, 128)} is not valid: ${first.path}: ${first.detail}${more}`
  return new AppError('UNPROCESSABLE', message, { details: { problems: list } })
}
