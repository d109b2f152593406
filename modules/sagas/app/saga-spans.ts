import { isSampled, type Span, type SpanAttributes, type SpanKind } from '@splitstream/kernel'
import type { Outcome } from '../domain/outcome.ts'
import type { Turn } from '../domain/turn.ts'
import type { Instance } from './instance.ts'
import type { Outgoing } from './participants.ts'

/**
 * Spans of sagas whose start was traced: one for each turn that is committed and one for each attempt of a call. They are short
 * however long the saga lives, and what is taken over by another worker is never told again. What belongs to the first hour is a
 * part of the trace of the start; later, each has a trace of its own that is linked to it, as traces are looked for by their time.
 */
const sameTraceMs = 3_600_000

/** @returns undefined when the saga is not traced, which is found out first */
function sagaSpan(
  saga: Instance,
  name: string,
  kind: SpanKind,
  more: (attributes: SpanAttributes) => SpanAttributes,
): Span | undefined {
  const { engine, id, plan, state } = saga
  const { trace } = state.origin
  if (!isSampled(trace)) return undefined
  const attributes = more({
    'splitstream.tenant': saga.tenant,
    'splitstream.saga.name': plan.name,
    'splitstream.saga.id': id,
  })
  return engine.tracer.span(name, trace, { kind, attributes, apart: engine.now() - state.at > sameTraceMs })
}

/** Of the commit of a turn. */
export const turnSpan = (saga: Instance, { entries }: Turn): Span | undefined =>
  sagaSpan(saga, `turn ${saga.plan.name}`, 'internal', (attributes) => ({
    ...attributes,
    'splitstream.saga.status': saga.state.status,
    'splitstream.saga.entries': entries.length,
  }))

export interface Attempt {
  readonly step: string
  readonly undo: boolean
  /** It asks what became of an earlier attempt. */
  readonly look: boolean
}

/** Of one attempt of a call. Neither its address nor its headers are told: they may hold what the saga was started with. */
export function attemptSpan(
  saga: Instance,
  { step, undo, look }: Attempt,
  request: Pick<Outgoing, 'method' | 'participant'>,
): Span | undefined {
  return sagaSpan(saga, `${request.method} ${request.participant}`, 'client', (attributes) => {
    const now = saga.state.steps.get(step)
    return {
      ...attributes,
      'http.request.method': request.method,
      'splitstream.saga.step': step,
      'splitstream.saga.operation': look ? 'look up' : undo ? 'undo' : 'do',
      'splitstream.saga.attempt': (undo ? now?.undo?.attempts : now?.attempts) ?? 1,
    }
  })
}

/** One that was put off was no attempt: its span is forgotten. */
export function endAttempt(span: Span | undefined, outcome: Outcome): void {
  if (!span || outcome.kind === 'postponed') return
  if (outcome.kind !== 'answered') return span.end(outcome.kind)
  const { status } = outcome
  span.set('http.response.status_code', status)
  span.end(outcome.unusable !== undefined ? 'unusable' : status >= 400 ? String(status) : undefined)
}
