import { knownAs } from '../domain/alias.ts'
import { quietAt } from '../domain/compensate.ts'
import { encodeEntries } from '../domain/entry.ts'
import type { Plan } from '../domain/plan.ts'
import { resultOf } from '../domain/scope.ts'
import type { SagaState } from '../domain/state.ts'
import type { EmittedEvent, Turn } from '../domain/turn.ts'
import type { Message } from './message.ts'
import type { SagaEnd, Transition } from './transition.ts'

/** A saga that has nothing to do for longer than this is given free, ms. */
const parkMs = 10_000

/**
 * The same while the worker is crowded, ms. Sagas whose participant is not being called wait for less than `parkMs` again and again,
 * for as long as it is away: they would fill the worker, and those of all other participants would wait with them.
 */
const crowdedParkMs = 250

/** Nothing that goes on sleeps longer than this, ms. */
const longestSleepMs = 86_400_000

/** A saga that has written so much is given free, as its journal is made short when it is taken over. */
const longJournal = 65_536

interface Saga {
  readonly tenant: string
  readonly id: string
  readonly plan: Plan
  readonly state: SagaState
  readonly fence: string
  readonly pending: number
  readonly written: number
  readonly engine: { readonly stopping: boolean; readonly crowded: boolean }
}

/** What a turn writes. The saga is given free in the same commit when nothing is left to do for it here and now. */
export function transitionOf(
  saga: Saga,
  turn: Turn,
  seq: number,
  mailSeen: number,
  mailTaken: readonly string[],
): Transition {
  const { tenant, id, plan, state, fence } = saga
  const ended = state.status === 'completed' || state.status === 'compensated'
  // It may have ended and, by a message that came together with the one that ended it, turned back in the same turn.
  const ends = ended && turn.entries.some(({ e }) => e === 'end')
  return {
    tenant,
    id,
    fence,
    seq,
    lines: encodeEntries(turn.entries),
    status: state.status,
    problem: plainText(problemOf(state, turn.t)),
    release: releaseOf(saga, turn),
    mailSeen,
    mailTaken,
    outbox: turn.acts.flatMap((act) => (act.kind === 'emit' ? [eventOf(knownAs(saga), act.step, act.event)] : [])),
    endedAt: ended ? state.at + turn.t : null,
    end: ends || turn.acts.some(({ kind }) => kind === 'tell-parent') ? endOf(id, plan, state) : undefined,
  }
}

function releaseOf({ state, pending, written, engine }: Saga, { acts, wakeAt, t }: Turn): Transition['release'] {
  if (pending > 0 || acts.some(({ kind }) => kind !== 'emit' && kind !== 'tell-parent')) return undefined
  for (const { status, undo, childId } of state.steps.values()) {
    if (status === 'calling') return undefined
    // The end of a child's undo comes as a message, after days perhaps; and the child needs room to be undone.
    if (undo?.status === 'calling' && childId === undefined) return undefined
  }
  if (engine.stopping) return { dueAt: state.at + t }
  // One that waits for a message alone is looked at in any case: a message can get lost only by a mistake, and then it is found.
  if (wakeAt === undefined) return { dueAt: isOpen(state) ? state.at + t + longestSleepMs : null }
  const rests = wakeAt - t > (engine.crowded ? crowdedParkMs : parkMs)
  return rests || written > longJournal ? { dueAt: state.at + wakeAt } : undefined
}

const isOpen = ({ status }: SagaState): boolean => status === 'running' || status === 'compensating'

/** Postgres keeps no NUL in a text, and what participants say may have one. */
const plainText = (text: string | null): string | null => text?.replaceAll('\0', '\ufffd') ?? null

/** What keeps the saga from going on: shown in lists as soon as an undo fails or hangs, or a step has failed several times. */
export function problemOf(state: SagaState, t: number): string | null {
  if (state.halted) return `${state.halted.step ?? 'saga'}: ${state.halted.code}: ${state.halted.detail}`
  if (state.status === 'completed' || state.status === 'compensated') return null
  for (const [id, { undo, childId }] of state.steps) {
    if (undo?.problem) return `undo of ${id}: ${undo.problem.code}: ${undo.problem.detail}`
    const isQuiet = undo?.status === 'calling' && childId === undefined && quietAt(undo) <= t
    if (isQuiet) return `undo of ${id}: NO_ANSWER: none so far`
  }
  for (const [id, step] of state.steps) {
    if (step.status === 'retrying' && step.attempts >= 3 && step.problem) {
      return `${id}: ${step.problem.code}: ${step.problem.detail}`
    }
  }
  return null
}

function endOf(id: string, plan: Plan, state: SagaState): SagaEnd | undefined {
  let holdings = false
  for (const { step } of plan.steps.values()) if ('lock' in step || 'waitFor' in step) holdings = true
  const { parent } = state.origin
  const told = parent === undefined ? undefined : { id: parent, message: childMessage(id, plan, state) }
  return holdings || told ? { holdings, parent: told } : undefined
}

/** What a parent is told about the end of its child. */
function childMessage(id: string, plan: Plan, state: SagaState): Message {
  const output = state.status === 'completed' ? resultOf(plan, state) : null
  return { kind: 'child', step: state.origin.step ?? '', childId: id, as: state.status, output }
}

/** A CloudEvent whose id is that of the step, so that emitting it twice is emitting it once. */
function eventOf(saga: string, step: string, { type, source, subject, data }: EmittedEvent): string {
  return JSON.stringify({
    specversion: '1.0',
    id: `${saga}.${step}`,
    type,
    source,
    ...(subject !== undefined && { subject }),
    ...(data !== undefined && { datacontenttype: 'application/json', data }),
  })
}
