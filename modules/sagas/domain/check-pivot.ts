import { type Placed, relate, surelyRuns } from './check-flow.ts'
import type { Problems } from './check-problems.ts'

/**
 * A pivot is the step after which there is no way back, so nothing on a path may need one: a second pivot, an undo at the
 * pivot or after it, a step after it that can fail for good, a sibling that may fail while the pivot runs.
 */
export function checkPivots(placed: readonly Placed[], problems: Problems): void {
  const pivots = placed.filter(({ step }) => 'call' in step && step.pivot === true)
  for (const pivot of pivots) {
    checkPivot(pivot, pivots, problems)
    for (const one of placed) {
      if (relate(pivot, one) === 'before' && surelyRuns(pivot, one)) checkAfter(one, pivot.step.id, problems)
    }
  }
}

function checkPivot(pivot: Placed, pivots: readonly Placed[], problems: Problems): void {
  const { step, path, trail } = pivot
  const at = [...path, 'pivot']
  if (trail.some(({ of }) => of === 'parallel')) {
    problems.add(at, 'a pivot cannot be in a parallel: a step beside it could still fail. Put it after the parallel')
  }
  if ('call' in step && step.compensate) {
    problems.add([...path, 'compensate'], `step ${step.id} is a pivot, which is never undone; remove one of the two`)
  }
  const first = pivots.find((other) => relate(other, pivot) === 'before')
  if (first) problems.add(at, `step ${first.step.id} before it is a pivot already; there is one at most on a path`)
}

function checkAfter({ step, path }: Placed, pivot: string, problems: Problems): void {
  if ('call' in step && step.compensate) {
    problems.add([...path, 'compensate'], `comes after the pivot ${pivot}, so it would never be undone`)
  }
  if ('child' in step && step.compensate === true) {
    problems.add([...path, 'compensate'], `comes after the pivot ${pivot}, so the child would never be undone`)
  }
  if ('waitFor' in step && step.waitFor.onTimeout !== 'continue') {
    const what = `comes after the pivot ${pivot}, so it must not fail: write "onTimeout": "continue"`
    problems.add([...path, 'waitFor', 'onTimeout'], what)
  }
  if ('lock' in step) {
    problems.add(
      [...path, 'lock'],
      `comes after the pivot ${pivot}, and could fail; take the lock before it (it is kept)`,
    )
  }
}
