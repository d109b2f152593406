import { codeOf } from '@splitstream/kernel'
import { childAlias } from '../domain/alias.ts'
import { lagOf } from '../domain/event-time.ts'
import type { Act, Turn } from '../domain/turn.ts'
import type { Holdings } from './holdings.ts'
import type { Instance } from './instance.ts'
import type { SagaRequest } from './new-saga.ts'
import type { Plans } from './plans.ts'

type ChildAct = Extract<Act, { kind: 'child' }>

export interface StartChildDeps {
  readonly plans: Plans
  readonly holdings: Holdings
  /** Durable when it resolves; a saga of this id that is there already is left as it is. */
  begin(request: SagaRequest): Promise<unknown>
}

/** Makes the child saga of a step, if it is not there yet. Tried until it is done, or the parent is somebody else's. */
export function startChild({ plans, holdings, begin }: StartChildDeps, saga: Instance, act: ChildAct): void {
  void holdings.persist(saga, async () => {
    const { step, childId, input } = act
    const { tenant, state } = saga
    const plan = await plans.newest(tenant, act.saga).catch((error: unknown) => {
      if (codeOf(error) === 'NOT_FOUND') return undefined
      throw error
    })
    if (!plan) return saga.push((turn) => failUnknown(turn, act))
    const alias = childAlias(state, step)
    const { trace } = state.origin
    const lag = lagOf(state)
    const from = {
      ...{ parent: saga.id, step },
      ...(lag > 0 && { lag }),
      ...(alias !== undefined && { alias }),
      ...(trace && { trace }),
    }
    await begin({ id: childId, tenant, plan, input, from })
    // Told before it was there, it has a letter that nobody counted: it would be found when the child is due, after 30 days perhaps.
    if (state.steps.get(step)?.undo?.status === 'calling') holdings.undoChild(saga, step, childId)
    saga.push()
  })
}

function failUnknown(turn: Turn, { step, saga }: ChildAct): void {
  if (turn.state.steps.get(step)?.status !== 'waiting') return
  const d = `the saga ${saga} is not published, or retired`
  turn.add({ e: 'failed', s: step, t: turn.t, fx: 'none', c: 'NO_SUCH_SAGA', d })
}
