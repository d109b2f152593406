import type { SagaRun } from '../kit/testing/saga-run.ts'
import { compactEntries } from './compact.ts'
import type { Entry } from './entry.ts'
import type { Ledger } from './ledger.fixture.ts'

/** What must hold of a saga that has ended, by the participant's books. @returns what does not */
export function violationsOf(run: SagaRun, ledger: Ledger): string[] {
  const calls = [...run.plan.steps.values()].filter(({ call }) => call)
  const found: string[] = []
  for (const { step, undo } of calls) {
    const done = ledger.count(run.id, step.id, 'do')
    const undone = ledger.count(run.id, step.id, 'undo')
    if (done > 1) found.push(`${step.id} took effect ${done} times`)
    if (undone > 1) found.push(`${step.id} was undone ${undone} times`)
    if (run.state.status === 'completed' && undone > 0) found.push(`${step.id} was undone, and the saga is completed`)
    if (run.state.status === 'compensated' && undo && done > 0) {
      if (undone === 0) found.push(`${step.id} took effect and was not undone`)
      else if (!comesAfter(run, ledger, step.id)) found.push(`${step.id} took effect after its undo`)
    }
  }
  const orders = run.entries.filter(({ e }) => e === 'by').length
  const bound = 10 + calls.length * 50 + run.plan.steps.size * 4 + orders * 4
  if (compactEntries(run.entries).length > bound) found.push(`its journal cannot be shorter than ${bound} entries`)
  found.push(...requestProblems(run))
  if (run.state.status === 'compensated')
    found.push(...orderProblems(run), ...pivotProblems(run), ...childProblems(run))
  if (run.state.status === 'completed' && run.entries.some(({ e }) => e === 'turn'))
    found.push('it turned, and is completed')
  return found.map((what) => `${run.id}: ${what}`)
}

/** All attempts under one key are the same request. */
function requestProblems({ sent }: SagaRun): string[] {
  const requests = Map.groupBy(
    sent.filter(({ lookup }) => !lookup),
    ({ idempotencyKey }) => idempotencyKey,
  )
  return [...requests].flatMap(([key, attempts]) => {
    const told = attempts.map(({ method, path, body }) => JSON.stringify([method, path, body]))
    return new Set(told).size > 1 ? [`${key} was sent with ${[...new Set(told)].join(' and ')}`] : []
  })
}

function comesAfter(run: SagaRun, ledger: Ledger, step: string): boolean {
  const of = (operation: string) =>
    ledger.effects.findLast((one) => one.saga === run.id && one.step === step && one.operation === operation)!
  return of('undo').at >= of('do').at && ledger.effects.indexOf(of('undo')) > ledger.effects.indexOf(of('do'))
}

/** Steps in the order of their first such entry; those whose undo waits for another one do not count. */
function firsts(run: SagaRun, ...kinds: Entry['e'][]): string[] {
  const steps = run.entries.flatMap((entry) => (kinds.includes(entry.e) && 's' in entry && entry.s ? [entry.s] : []))
  return [...new Set(steps)].filter((id) => !run.plan.steps.get(id)?.undo?.after.length)
}

function orderProblems(run: SagaRun): string[] {
  const undone = firsts(run, 'undo')
  const begun = firsts(run, 'go', 'wait').filter((step) => undone.includes(step))
  const reversed = begun.reverse()
  return undone.every((step, i) => step === reversed[i]) ? [] : [`undone in the order ${undone}, and not ${reversed}`]
}

function pivotProblems(run: SagaRun): string[] {
  const pivots = [...run.plan.steps.values()].filter(({ step }) => 'pivot' in step && step.pivot)
  return pivots.some(({ step }) => run.state.steps.get(step.id)?.status === 'done') ? ['undone past its pivot'] : []
}

function childProblems(run: SagaRun): string[] {
  return [...run.state.steps].flatMap(([id, { childId, undo }]) => {
    const child = childId === undefined ? undefined : run.world.runs.get(childId)
    if (!child || child.state.status === 'compensated') return []
    return [`its child ${id} is ${child.state.status}, and its undo ${undo?.status}`]
  })
}
