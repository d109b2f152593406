import { ExpressionError } from '../../domain/expression.ts'
import type { Json } from '../../domain/json.ts'
import { scopeOf } from '../../domain/scope.ts'
import type { SeenSaga } from './seen-saga.ts'

/** The fields and values that the event has which a step waits for; null when they cannot be told. */
export function awaitedFields(saga: SeenSaga, step: string): Record<string, Json> | null {
  return valuesOf(saga, step) ?? null
}

/** The key of the lock that a step waits for; empty when it cannot be told. */
export function lockKey(saga: SeenSaga, step: string): string {
  return String(valuesOf(saga, step)?.key ?? '')
}

/** The same expressions over the same facts as when the step began. */
function valuesOf({ row, plan, state }: SeenSaga, step: string): Record<string, Json> | undefined {
  try {
    const scope = scopeOf({ id: row.id, plan, state }, { step })
    const values = [...(plan.steps.get(step)?.values ?? [])]
    return Object.fromEntries(values.map(([name, value]) => [name, value(scope)]))
  } catch (error) {
    if (error instanceof ExpressionError) return undefined
    throw error
  }
}
