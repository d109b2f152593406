import { type Operation, type Outcome, steps } from '../order.ts'

/**
 * The saga as one writes it by hand: a list of what is owed, and a loop. `step` carries out one operation, durably where
 * the engine is one, and resolves with false when the participant refused it.
 */
export async function orderSaga(step: (operation: Operation) => Promise<boolean>): Promise<Outcome> {
  const owed: Operation[] = []
  for (const { call, undo } of steps) {
    if (!(await step(call))) {
      for (const operation of owed.reverse()) await step(operation)
      return 'compensated'
    }
    if (undo) owed.push(undo)
  }
  return 'completed'
}
