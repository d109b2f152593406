import type { Origin } from '../domain/entry.ts'
import type { Json } from '../domain/json.ts'
import type { Plan } from '../domain/plan.ts'
import { foldEntries } from '../domain/state.ts'
import type { Turn } from '../domain/turn.ts'
import type { Engine } from './engine.ts'
import { Instance } from './instance.ts'
import type { Term } from './lease.ts'

export interface SagaRequest {
  readonly tenant: string
  readonly plan: Plan
  readonly input: Json
  /** Given for children only; a new one otherwise. */
  readonly id?: string
  /** Of two requests with the same key the second makes nothing. */
  readonly key?: Uint8Array | undefined
  readonly from?: Origin | undefined
  /** It cannot go on from the start, and is made for people to see. */
  readonly halt?: { readonly code: string; readonly detail: string } | undefined
}

/** A saga that is not durable yet: its instance, and what its first turn begins with. */
export function newSaga(engine: Engine, term: Term, id: string, request: SagaRequest, now: number) {
  const { tenant, plan, input, from, key, halt } = request
  const at = Math.round(now)
  const instance = new Instance(engine, {
    id,
    tenant,
    plan,
    state: Object.assign(foldEntries([]), { at }),
    fence: term.fence,
    signal: term.signal,
    seq: 0,
    mailSeen: 0,
  })
  const { name, version } = plan
  const start = { name, version, key, alias: from?.alias, event: !!from?.event }
  const first = (turn: Turn): void => {
    turn.add({ e: 'start', t: 0, at, in: input, ...(from && { from }) })
    if (halt) turn.add({ e: 'halt', t: 0, c: halt.code, d: halt.detail })
  }
  return { instance, start, first }
}
