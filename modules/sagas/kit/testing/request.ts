import type { Json } from '../../domain/json.ts'
import { buildRequest } from '../../domain/request.ts'
import type { ScopeSource } from '../../domain/scope.ts'
import type { Act } from '../../domain/turn.ts'
import type { Reply } from './reply.ts'

/** A request as a participant of a test gets it: what the engine would send. */
export interface TestRequest {
  readonly saga: string
  readonly step: string
  readonly operation: 'do' | 'undo'
  /** It asks what became of the request with this key, and shall do nothing. */
  readonly lookup: boolean
  readonly method: string
  /** With its query, after the participant's URL. */
  readonly path: string
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Absent for none. */
  readonly body?: Json
  readonly idempotencyKey: string
  /** ms since the saga's start. */
  readonly t: number
}

/** The other side of calls. One that throws makes the test fail. */
export type Participant = (request: TestRequest) => Reply | Promise<Reply>

/** @throws ExpressionError as the engine's own code does, which this is */
export function requestOf(source: ScopeSource, act: Extract<Act, { kind: 'call' }>, t: number) {
  const { participant, settings, timeoutMs, slowMs: _, ...built } = buildRequest(source, act.step, act.undo, act.look)
  const { idempotencyKey, url, headers } = built
  const request: TestRequest = {
    ...built,
    saga: source.id,
    step: act.step,
    operation: act.undo ? 'undo' : 'do',
    lookup: act.look,
    path: url.slice(settings.url.replace(/\/$/, '').length),
    headers: act.look ? headers : { ...headers, 'idempotency-key': idempotencyKey },
    t,
  }
  return { participant: participant.slice(participant.lastIndexOf('/') + 1), timeoutMs, request }
}
