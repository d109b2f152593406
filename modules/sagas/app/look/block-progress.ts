import { allSteps, blocksOf, type ChoiceStep, type ParallelStep, type Step } from '../../domain/definition.ts'
import type { SeenSaga } from './seen-saga.ts'

/**
 * Where a step stands that holds others. The journal does not say: it follows from the steps within.
 */
export function blockProgress(saga: SeenSaga, step: ParallelStep | ChoiceStep): 'not_started' | 'waiting' | 'done' {
  if (isDone(saga, step)) return 'done'
  const begun = (one: Step): boolean => saga.state.steps.has(one.id)
  return begun(step) || blocksOf(step).some((block) => [...allSteps(block)].some(begun)) ? 'waiting' : 'not_started'
}

function isDone(saga: SeenSaga, step: Step): boolean {
  if ('parallel' in step) return step.parallel.every((block) => block.every((one) => isDone(saga, one)))
  const now = saga.state.steps.get(step.id)
  if (!('choice' in step)) return now?.status === 'done'
  // Resolved or skipped as a whole, or the branch that was taken is done.
  if (now?.status === 'done') return true
  if (now?.status !== 'waiting') return false
  const taken = now.branch < 0 ? (step.otherwise ?? []) : (step.choice[now.branch]?.steps ?? [])
  return taken.every((one) => isDone(saga, one))
}
