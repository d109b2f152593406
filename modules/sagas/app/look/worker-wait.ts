import type { SeenSaga } from './seen-saga.ts'
import type { Waiting } from './waiting.ts'

/** It is due and nobody has it, or nobody hears of the worker that has it. */
export function workerWait({ row, state }: SeenSaga): Waiting | undefined {
  const { worker, lease_until, due_at, now } = row
  const whole = { for: 'worker', step: null, undo: false, until: null } as const
  if (worker !== null && lease_until !== null && lease_until < now) {
    const since = lease_until.toISOString()
    return { ...whole, since, detail: `the lease of its worker ${worker} ended at ${since}; another one takes it over` }
  }
  if (worker !== null || due_at === null || due_at > now) return undefined
  const since = new Date(Math.max(due_at.getTime(), state.at)).toISOString()
  return { ...whole, since, detail: `no worker has it: due since ${since}` }
}
