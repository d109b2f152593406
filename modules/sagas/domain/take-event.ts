import { askForEvent } from './begin.ts'
import type { EventName } from './entry.ts'
import { eventField } from './event-field.ts'
import { eventsSince } from './event-time.ts'
import type { Json } from './json.ts'
import type { SagaState } from './state.ts'
import type { Act, Turn } from './turn.ts'

/**
 * An event came that step `id` may wait for. Within a saga an event is taken by one step: of those that it fits, the one that
 * has waited longest. The others go on waiting for another one, among those that came already and those to come. Other sagas
 * get the same event: it is a fact, not a message to one of them. One that is older than the saga counts for none: events may be
 * read long after they came.
 * @param receivedAt ms since the epoch; undefined when it is known to count
 */
export function deliverEvent(turn: Turn, id: string, event: Json, receivedAt?: number): void {
  if (!waits(turn, id)) return
  const name = nameOf(event)
  const counts = (receivedAt === undefined || receivedAt >= eventsSince(turn.state)) && !isTaken(turn.state, name)
  const taker = counts ? firstInLine(turn, id, event) : undefined
  if (taker !== undefined) take(turn, taker, event, name)
  // Whoever has brought the event has taken the step off the list.
  if (taker !== id) askAgain(turn, id)
}

/** The events that steps of the saga have got; none of them is for another step. */
export function takenEvents({ steps }: SagaState): EventName[] {
  return [...steps.values()].flatMap(({ event }) => (event ? [event] : []))
}

function waits({ state, plan }: Turn, id: string): boolean {
  const step = plan.steps.get(id)?.step
  return step !== undefined && 'waitFor' in step && state.steps.get(id)?.status === 'waiting' && !state.turned
}

function nameOf(event: Json): EventName {
  const { source, id } = event as { readonly source: string; readonly id: string }
  return [source, id]
}

function isTaken(state: SagaState, [source, id]: EventName): boolean {
  return takenEvents(state).some((taken) => taken[0] === source && taken[1] === id)
}

/** Steps are in the order in which they were begun. */
function firstInLine(turn: Turn, id: string, event: Json): string {
  for (const other of turn.state.steps.keys()) {
    if (other === id) break
    if (waits(turn, other) && fits(event, askForEvent(turn, other))) return other
  }
  return id
}

function fits(event: Json, asked: Extract<Act, { kind: 'await' }> | undefined): boolean {
  if (!asked || eventField('type')(event) !== asked.type) return false
  return asked.match.every(([field, value]) => eventField(field)(event) === value)
}

function take(turn: Turn, id: string, event: Json, name: EventName): void {
  const output = turn.plan.steps.get(id)?.output
  const value = output ? turn.evaluate(id, () => output(turn.scope(id, { event }))) : { value: event }
  if (value) turn.add({ e: 'done', s: id, t: turn.t, o: value.value, ev: name })
}

function askAgain(turn: Turn, id: string): void {
  const act = askForEvent(turn, id)
  if (act) turn.act(act)
}
