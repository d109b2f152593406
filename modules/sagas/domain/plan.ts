import { type Placed, placeSteps, relate } from './check-flow.ts'
import type { CallStep, Participant, ParticipantRequest, SagaDefinition, Step, Trigger } from './definition.ts'
import { durationMs } from './duration.ts'
import { compileCondition, compileHeader, compilePath, compileTemplate, type Scope } from './expression.ts'
import type { Json } from './json.ts'
import { forwardRetry, type Retry, retryOf, undoRetry } from './retry.ts'

/** A definition made ready to run: expressions compiled, durations in ms. Made once for each version and process. */
export interface Plan {
  readonly name: string
  readonly version: number
  readonly definition: SagaDefinition
  readonly steps: ReadonlyMap<string, PlannedStep>
  readonly deadlineMs: number | undefined
  readonly output: Value | undefined
  readonly trigger: PlannedTrigger | undefined
}

export interface PlannedTrigger {
  readonly type: string
  readonly when: ((scope: Scope) => boolean) | undefined
  readonly input: Value | undefined
}

export interface PlannedStep {
  readonly step: Step
  /** Steps that have ended before this one begins, if they run. What runs beside it is not among them. */
  readonly before: readonly string[]
  readonly pivot: boolean
  readonly call: PlannedCall | undefined
  readonly undo: (PlannedCall & { readonly after: readonly string[] }) | undefined
  readonly output: Value | undefined
  /** Of a choice, one for each branch. */
  readonly conditions: readonly ((scope: Scope) => boolean)[]
  /** The other expressions of the step, by what they are for: data, subject, until, key, input, or a field to match. */
  readonly values: ReadonlyMap<string, Value>
}

/** Of a participant that says nothing of its time. */
const usualSlowMs = 1_000
export const defaultTimeout = '10s'
export const defaultKeyWindow = '24h'

export type Value = (scope: Scope) => Json

export interface PlannedCall {
  /** `<saga>/<participant>`. */
  readonly participant: string
  readonly settings: Participant
  readonly method: NonNullable<ParticipantRequest['method']>
  readonly url: (scope: Scope) => string
  readonly headers: PlannedHeaders
  readonly body: ((scope: Scope) => Json) | undefined
  readonly lookup: ((scope: Scope) => string) | undefined
  readonly lookupHeaders: PlannedHeaders
  readonly retry: Retry
  /** The definition says how to retry; else more patience is due once the pivot is behind us. */
  readonly ownRetry: boolean
  readonly timeoutMs: number
  /** A call that takes longer counts against its participant. */
  readonly slowMs: number
  /** For how long the participant knows a key. */
  readonly keyWindowMs: number
}

/** Names in lower case; of two with the same name the later one counts. */
export type PlannedHeaders = readonly (readonly [name: string, value: (scope: Scope) => string])[]

/** @throws ExpressionError when an expression does not compile; a definition that was published does */
export function planSaga(name: string, version: number, definition: SagaDefinition): Plan {
  const steps = new Map<string, PlannedStep>()
  const placed = placeSteps(definition)
  for (const one of placed) steps.set(one.step.id, planStep(name, definition, one, placed))
  return {
    name,
    version,
    definition,
    steps,
    deadlineMs: definition.deadline === undefined ? undefined : durationMs(definition.deadline),
    output: definition.output === undefined ? undefined : compileTemplate(definition.output),
    trigger: definition.trigger && planTrigger(definition.trigger),
  }
}

function planTrigger({ type, when, input }: Trigger): PlannedTrigger {
  return {
    type,
    when: when === undefined ? undefined : compileCondition(when),
    input: input === undefined ? undefined : compileTemplate(input),
  }
}

function planStep(name: string, definition: SagaDefinition, one: Placed, all: readonly Placed[]): PlannedStep {
  const { step } = one
  const before = all.flatMap((other) => (relate(other, one) === 'before' ? [other.step.id] : []))
  const output = 'output' in step && step.output !== undefined ? compileTemplate(step.output) : undefined
  const conditions = 'choice' in step ? step.choice.map(({ when }) => compileCondition(when)) : []
  const calls = { pivot: false, call: undefined, undo: undefined }
  const base = { step, before, ...calls, output, conditions, values: valuesOf(step) }
  if (!('call' in step)) return base
  return { ...base, pivot: step.pivot ?? false, ...planCalls(name, definition, step) }
}

function valuesOf(step: Step): ReadonlyMap<string, Value> {
  const values = new Map<string, Value>()
  const add = (name: string, value: Json | undefined) => {
    if (value !== undefined) values.set(name, compileTemplate(value))
  }
  if ('emit' in step) for (const [name, value] of Object.entries(step.emit)) add(name, value)
  if ('wait' in step && 'until' in step.wait) add('until', step.wait.until)
  if ('waitFor' in step) for (const [field, value] of Object.entries(step.waitFor.match)) add(field, value)
  if ('child' in step) add('input', step.child.input)
  if ('lock' in step) add('key', step.lock.key)
  return values
}

function planCalls(name: string, definition: SagaDefinition, step: CallStep): Pick<PlannedStep, 'call' | 'undo'> {
  const call = planCall(name, definition, step.call, step.timeout)
  const { compensate } = step
  return {
    call: { ...call, retry: retryOf(step.retry, forwardRetry), ownRetry: step.retry !== undefined },
    undo: compensate && {
      ...planCall(name, definition, compensate, compensate.timeout),
      retry: retryOf(compensate.retry, undoRetry),
      ownRetry: true,
      after: compensate.after ?? [],
    },
  }
}

function planCall(name: string, definition: SagaDefinition, request: ParticipantRequest, timeout: string | undefined) {
  const settings = definition.participants?.[request.participant]
  if (!settings) throw new RangeError(`there is no participant ${request.participant}`)
  const base = settings.url.replace(/\/$/, '')
  const path = compilePath(request.path)
  const lookup = settings.lookup && compilePath(settings.lookup.path)
  const shared = planHeaders(settings.headers)
  return {
    participant: `${name}/${request.participant}`,
    settings,
    method: request.method ?? 'POST',
    url: (scope: Scope) => base + path(scope),
    headers: [...shared, ...planHeaders(request.headers)],
    body: request.body === undefined ? undefined : compileTemplate(request.body),
    lookup: lookup && ((scope: Scope) => base + lookup(scope)),
    lookupHeaders: shared,
    timeoutMs: durationMs(timeout ?? settings.timeout ?? defaultTimeout),
    slowMs: slowMsOf(settings, timeout ?? settings.timeout),
    keyWindowMs: durationMs(settings.keyWindow ?? defaultKeyWindow),
  }
}

/** Who gives a call more time than usual expects it to take more. */
function slowMsOf({ slowAfter }: Participant, timeout: string | undefined): number {
  if (slowAfter !== undefined) return durationMs(slowAfter)
  return Math.max(usualSlowMs, timeout === undefined ? 0 : durationMs(timeout) / 2)
}

function planHeaders(headers: Readonly<Record<string, string>> = {}): PlannedHeaders {
  return Object.entries(headers).map(([name, value]) => [name.toLowerCase(), compileHeader(value)] as const)
}
