import { operatorWaits } from './operator-waits.ts'
import type { SeenSaga } from './seen-saga.ts'
import { stepWait } from './step-wait.ts'
import { undoWait } from './undo-wait.ts'
import type { Surroundings, Waiting } from './waiting.ts'
import { workerWait } from './worker-wait.ts'

/** All that a saga waits for, its steps in the order in which they were begun. Empty when it is at work, or has ended. */
export function waitsOf(saga: SeenSaga, around: Surroundings): Waiting[] {
  const { status, steps } = saga.state
  if (status === 'completed' || status === 'compensated') return []
  const found: (Waiting | undefined)[] = [workerWait(saga)]
  for (const [id, step] of steps) found.push(stepWait(saga, id, step, around), undoWait(saga, id, step, around))
  return [...found.filter((one) => one !== undefined), ...operatorWaits(saga)]
}

/** What `waitsOf` will ask about its surroundings. */
export function askedBy(saga: SeenSaga): { readonly locks: string[]; readonly children: string[] } {
  const locks = new Set<string>()
  const children = new Set<string>()
  waitsOf(saga, {
    blocked: () => undefined,
    holder: (key) => void locks.add(key),
    child: (id) => void children.add(id),
  })
  return { locks: [...locks], children: [...children] }
}
