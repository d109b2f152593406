import type { Action, Effect, Entry } from '../../domain/entry.ts'
import type { Json } from '../../domain/json.ts'

/** One fact of a saga's history. Names and members are stable: programs may rely on them (docs/sagas.md). */
export interface HistoryEvent {
  /** Its place, from 1. */
  readonly n: number
  readonly at: string
  readonly event: HistoryName
  readonly step?: string
  /** Whether it is about the undo of the step. */
  readonly undo?: true
  readonly [member: string]: unknown
}

export type HistoryName =
  | 'started'
  | 'attempt_started'
  | 'attempt_failed'
  | 'attempt_postponed'
  | 'attempts_summarized'
  | 'step_done'
  | 'step_failed'
  | 'wait_started'
  | 'branch_taken'
  | 'turned_back'
  | 'undo_done'
  | 'undo_stuck'
  | 'halted'
  | 'operator_acted'
  | 'operator_refused'
  | 'completed'
  | 'compensated'

/** The whole journal, oldest first. */
export function historyOf(entries: readonly Entry[]): HistoryEvent[] {
  const first = entries[0]
  const start = first?.e === 'start' ? first.at : 0
  const iso = (t: number): string => new Date(start + t).toISOString()
  return entries.map((entry, i) => ({ n: i + 1, at: iso(entry.t), ...named(entry, iso) }))
}

type Named = { readonly event: HistoryName } & Readonly<Record<string, Json | undefined>>

function named(entry: Entry, iso: (t: number) => string): Named {
  switch (entry.e) {
    case 'start':
      return { event: 'started', input: entry.in, ...(entry.from && { from: { ...entry.from } }) }
    case 'go':
    case 'undo':
      return { event: 'attempt_started', ...sideOf(entry), attempt: entry.n, ...(entry.look && { lookup: true }) }
    case 'retry':
    case 'undo-retry':
      return {
        event: entry.free ? 'attempt_postponed' : 'attempt_failed',
        ...sideOf(entry),
        attempt: entry.n,
        ...problemOf(entry),
        nextAttemptAt: iso(entry.due),
        ...(entry.k !== undefined && { newKey: entry.k }),
      }
    case 'tries':
      return { event: 'attempts_summarized', ...sideOf(entry), attempts: entry.x, ...problemOf(entry.to) }
    case 'done':
      return {
        event: 'step_done',
        step: entry.s,
        output: entry.o ?? null,
        ...(entry.ev && { received: { source: entry.ev[0], id: entry.ev[1] } }),
      }
    case 'failed':
      return { event: 'step_failed', step: entry.s, ...problemOf(entry) }
    case 'wait':
      return {
        event: 'wait_started',
        step: entry.s,
        until: entry.u === undefined ? null : iso(entry.u),
        ...(entry.id !== undefined && { child: entry.id }),
      }
    case 'pick':
      return { event: 'branch_taken', step: entry.s, branch: entry.b }
    case 'turn':
      return { event: 'turned_back', step: entry.s, ...problemOf(entry) }
    case 'undone':
      return { event: 'undo_done', step: entry.s, undo: true }
    case 'stuck':
      return { event: 'undo_stuck', step: entry.s, undo: true, ...problemOf(entry) }
    case 'halt':
      return { event: 'halted', step: entry.s, ...problemOf(entry) }
    case 'by':
      return orderOf(entry)
    case 'end':
      return { event: entry.as, ...(entry.as === 'completed' && { output: entry.o ?? null }) }
  }
}

function orderOf({ m, who, a, s, o, k, note, no }: Extract<Entry, { e: 'by' }>): Named {
  const action: Action = a
  return {
    event: no === undefined ? 'operator_acted' : 'operator_refused',
    action,
    order: m,
    who,
    step: s,
    output: o,
    note,
    newKey: k,
    reason: no,
  }
}

/** The step, and which of its two directions it is about. */
function sideOf(entry: { readonly e: string; readonly s: string; readonly u?: 1 }) {
  const undo = entry.e === 'undo' || entry.e === 'undo-retry' || entry.u === 1
  return { step: entry.s, ...(undo && { undo: true }) }
}

function problemOf({ c, d, fx }: { readonly c: string; readonly d: string; readonly fx?: Effect }) {
  return { code: c, detail: d, ...(fx !== undefined && { effect: fx }) }
}
