import type { WholeSagaRow } from '../../adapters/saga-rows.ts'
import { decodeEntries, type Entry } from '../../domain/entry.ts'
import type { Plan } from '../../domain/plan.ts'
import { foldEntries, type SagaState } from '../../domain/state.ts'
import { Turn } from '../../domain/turn.ts'
import { type StepSpans, stepSpans } from './step-spans.ts'

/** A saga as it was read, for views of it. */
export interface SeenSaga {
  readonly row: WholeSagaRow
  readonly plan: Plan
  readonly entries: readonly Entry[]
  readonly state: SagaState
  readonly spans: ReadonlyMap<string, StepSpans>
  /** ms since the saga's start, by the database's clock. */
  readonly t: number
}

export function seeSaga(row: WholeSagaRow, plan: Plan): SeenSaga {
  const entries = decodeEntries(row.journal)
  const state = foldEntries(entries)
  return { row, plan, entries, state, spans: stepSpans(entries), t: row.now.getTime() - state.at }
}

/** A turn that nobody commits, from a state of its own: to ask what would come of it. */
export function dryTurn({ row, plan, entries, t }: SeenSaga): Turn {
  return new Turn(row.id, plan, foldEntries(entries), t, { fraction: () => 0, id: () => row.id })
}

/** An instant of the saga, as views give it. */
export const instant = ({ state }: Pick<SeenSaga, 'state'>, t: number): string => new Date(state.at + t).toISOString()
