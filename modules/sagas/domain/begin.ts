import { parseInstant } from '@splitstream/storage/contract'
import type { ChildStep, ChoiceStep, EmitStep, LockStep, Step, WaitForStep, WaitStep } from './definition.ts'
import { durationMs } from './duration.ts'
import { ExpressionError } from './expression.ts'
import type { Json } from './json.ts'
import { nextOf } from './key.ts'
import type { StepState } from './state.ts'
import { maxInputBytes } from './trigger.ts'
import type { Act, Turn } from './turn.ts'

const defaultLockTimeout = '1m'
/** Longest key of a lock, characters: it is kept in an index. */
const maxLockKey = 512

/** Begins a step that was not begun: afterwards the state has it. */
export function begin(turn: Turn, step: Step): void {
  if ('call' in step) return go(turn, step.id, 1, false)
  if ('emit' in step) return emit(turn, step)
  if ('wait' in step) return wait(turn, step)
  if ('waitFor' in step) return waitFor(turn, step)
  if ('lock' in step) return lock(turn, step)
  if ('choice' in step) return choose(turn, step)
  if ('child' in step) return child(turn, step)
}

/** Another attempt of a step that is due: of a call, or, as an operator asked for it, of any. */
export function tryAgain(turn: Turn, step: Step, now: StepState): void {
  const { id } = step
  const call = turn.plan.steps.get(id)?.call
  if (!call) return begin(turn, step)
  const next = nextOf(call, now, turn.t)
  if (next === 'send' || next === 'look') return go(turn, id, now.attempts + 1, next === 'look')
  const d = `it may have taken effect, and ${next.why}: find out, then resolve, skip, retry or cancel`
  turn.add({ e: 'halt', s: id, t: turn.t, c: 'RECONCILE', d })
}

function go(turn: Turn, s: string, n: number, look: boolean): void {
  turn.add({ e: 'go', s, n, t: turn.t, ...(look && { look: 1 as const }) })
  turn.act({ kind: 'call', step: s, undo: false, look })
}

function emit(turn: Turn, step: EmitStep): void {
  const values = turn.plan.steps.get(step.id)!.values
  const scope = turn.scope(step.id)
  const text = (name: string): string | undefined => {
    const compiled = values.get(name)
    return compiled && textOf(compiled(scope), `emit.${name}`)
  }
  const event = turn.evaluate(step.id, () => ({
    type: text('type')!,
    source: text('source') ?? `/sagas/${turn.plan.name}`,
    subject: text('subject'),
    data: values.get('data')?.(scope),
  }))
  if (!event) return
  turn.add({ e: 'done', s: step.id, t: turn.t })
  turn.act({ kind: 'emit', step: step.id, event: event.value })
}

function wait(turn: Turn, { id, wait }: WaitStep): void {
  if ('for' in wait) return turn.add({ e: 'wait', s: id, t: turn.t, u: turn.t + durationMs(wait.for) })
  const until = turn.evaluate(id, () => {
    const text = turn.plan.steps.get(id)!.values.get('until')!(turn.scope(id))
    const micros = typeof text === 'string' ? parseInstant(text) : undefined
    if (micros === undefined)
      throw new ExpressionError(`wait.until gave ${excerpt(text)}, which is no RFC 3339 instant`)
    return Math.ceil(micros / 1000) - turn.state.at
  })
  if (until) turn.add({ e: 'wait', s: id, t: turn.t, u: until.value })
}

function waitFor(turn: Turn, step: WaitForStep): void {
  const act = askForEvent(turn, step.id)
  if (!act) return
  turn.add({ e: 'wait', s: step.id, t: turn.t, u: turn.t + durationMs(step.waitFor.timeout) })
  turn.act(act)
}

/** What a `waitFor` step waits for; undefined when that cannot be told, which fails the step. */
export function askForEvent(turn: Turn, id: string): Extract<Act, { kind: 'await' }> | undefined {
  const { step, values } = turn.plan.steps.get(id)!
  if (!('waitFor' in step)) return undefined
  const scope = turn.scope(id)
  const match = turn.evaluate(id, () => [...values].map(([field, compiled]) => [field, compiled(scope)] as const))
  return match && { kind: 'await', step: id, type: step.waitFor.type, match: match.value }
}

function lock(turn: Turn, step: LockStep): void {
  const act = lockOf(turn, step)
  if (!act) return
  const timeout = durationMs(step.lock.timeout ?? defaultLockTimeout)
  turn.add({ e: 'wait', s: step.id, t: turn.t, u: turn.t + timeout })
  turn.act(act)
}

function lockOf(turn: Turn, { id }: LockStep): Act | undefined {
  const key = turn.evaluate(id, () => {
    const text = textOf(turn.plan.steps.get(id)!.values.get('key')!(turn.scope(id)), 'lock.key')
    if (text.length <= maxLockKey && !text.includes('\0')) return text
    throw new ExpressionError(`lock.key gave ${excerpt(text)}: ${maxLockKey} characters at most, and no NUL among them`)
  })
  return key && { kind: 'lock', step: id, key: key.value }
}

function child(turn: Turn, step: ChildStep): void {
  const childId = turn.chance.id()
  const act = childOf(turn, step, childId)
  if (!act) return
  const bytes = Buffer.byteLength(JSON.stringify(act.input))
  if (bytes > maxInputBytes) {
    const d = `the input of the child has ${bytes} bytes, and ${maxInputBytes} at most`
    return turn.add({ e: 'failed', s: step.id, t: turn.t, fx: 'none', c: 'INPUT_TOO_LARGE', d })
  }
  turn.add({ e: 'wait', s: step.id, t: turn.t, id: childId })
  turn.act(act)
}

function childOf(turn: Turn, { id, child }: ChildStep, childId: string): Extract<Act, { kind: 'child' }> | undefined {
  const compiled = turn.plan.steps.get(id)!.values.get('input')
  const input = turn.evaluate(id, () => compiled?.(turn.scope(id)) ?? null)
  return input && { kind: 'child', step: id, childId, saga: child.saga, input: input.value }
}

/**
 * The acts of steps that wait: done once more by a worker that took the saga over, as the one before it may not have come so
 * far. Doing them twice is doing them once.
 */
export function repeatActs(turn: Turn): void {
  for (const [id, { status, childId }] of turn.state.steps) {
    // Once the saga is being undone only a child matters: it has to be there to be undone.
    if (status !== 'waiting' || (turn.state.turned && childId === undefined)) continue
    const step = turn.plan.steps.get(id)?.step
    if (!step) continue
    const act =
      'waitFor' in step
        ? askForEvent(turn, id)
        : 'lock' in step
          ? lockOf(turn, step)
          : 'child' in step
            ? childOf(turn, step, childId ?? '')
            : undefined
    if (act) turn.act(act)
  }
}

function choose(turn: Turn, { id }: ChoiceStep): void {
  const scope = turn.scope(id)
  const { conditions } = turn.plan.steps.get(id)!
  const branch = turn.evaluate(id, () => conditions.findIndex((condition) => condition(scope)))
  if (branch) turn.add({ e: 'pick', s: id, t: turn.t, b: branch.value })
}

function textOf(value: Json, what: string): string {
  if (typeof value === 'string' && value !== '') return value
  if (typeof value === 'number') return String(value)
  throw new ExpressionError(`${what} gave ${excerpt(value)}; a text is expected`)
}

const excerpt = (value: Json): string => JSON.stringify(value).slice(0, 100)
