import { AppError, type Breakers, type Clock, type Judge, type Logger, type Metrics } from '@splitstream/kernel'
import { Pool } from 'undici'
import type { Outcome, Outgoing, Participants } from '../../app/participants.ts'
import { guardedConnector } from './connector.ts'
import { createEgress, type EgressOptions } from './egress.ts'
import { type Ended, exchange } from './exchange.ts'
import { type Lookup, shareLookups, systemLookup } from './lookup.ts'
import { callMetrics } from './metrics.ts'
import { Origins } from './origins.ts'
import { toDispatch } from './request.ts'
import { Unsendable } from './unsendable.ts'

export interface ParticipantsDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly breakers: Breakers
  /** What a tenant's requests are signed with, each with all of them. Give the same secret as the same array, or each request costs 20 µs more. */
  readonly secrets: (tenant: string) => readonly Uint8Array[]
  readonly egress: EgressOptions
  /** Of Splitstream, for User-Agent. */
  readonly version: string
  readonly limits?: Partial<ParticipantLimits>
  /** The system's resolver when not given. */
  readonly lookup?: Lookup
}

export interface ParticipantLimits {
  /** Of one body. */
  readonly maxAnswerBytes: number
  /** ms; a request may give up earlier. */
  readonly connectTimeoutMs: number
  /** Connections to one host and port. Requests beyond wait within their time. */
  readonly maxConnections: number
  /** A busy connection is closed after so many: a name that leads elsewhere now is followed. */
  readonly requestsPerConnection: number
  /** Hosts and ports that connections are open to. */
  readonly maxOrigins: number
  /** A connection is kept without a call for so long at most, whatever the other side offers, ms. */
  readonly maxIdleMs: number
  /** Requests to one participant in one direction, when its definition does not say. */
  readonly maxConcurrent: number
}

const defaults: ParticipantLimits = {
  maxAnswerBytes: 1 << 20,
  connectTimeoutMs: 10_000,
  maxConnections: 256,
  requestsPerConnection: 10_000,
  maxOrigins: 1_000,
  maxIdleMs: 5_000,
  maxConcurrent: 64,
}

const judge: Judge<Ended> = { value: ({ verdict }) => verdict, error: () => 'bad' }
const judgeOf = ({ slowMs }: Outgoing): Judge<Ended> => (slowMs === undefined ? judge : { ...judge, slowMs })

/** @throws AppError CONFIG_INVALID when an entry of the allow-list is not legal */
export function createParticipants(deps: ParticipantsDeps): Participants {
  const { clock, breakers } = deps
  const limits = { ...defaults, ...deps.limits }
  const origins = connections(deps, limits)
  const userAgent = `splitstream/${deps.version}`
  const record = callMetrics(deps.metrics)

  const send = async (request: Outgoing, signal: AbortSignal): Promise<Outcome> => {
    const { tenant, timeoutMs } = request
    const { maxAnswerBytes } = limits
    const work = () => {
      const timestamp = Math.floor(clock.now() / 1_000)
      const dispatch = toDispatch(request, { secrets: deps.secrets(tenant), timestamp, userAgent })
      const place = origins.take(String(dispatch.origin), tenant)
      if (!place) return Promise.resolve(crowded)
      const { dispatcher, give } = place
      return exchange({ dispatcher, request: dispatch, timeoutMs, maxAnswerBytes, signal }).finally(give)
    }
    try {
      const breaker = breakers.get(nameOf(request), request.settings.maxConcurrent ?? limits.maxConcurrent)
      return (await breaker.run(work, judgeOf(request), signal)).outcome
    } catch (error) {
      return notSent(error)
    }
  }

  return {
    call: async (request, signal) => {
      const from = clock.monotonic()
      const outcome = await send(request, signal)
      record(request.undo, outcome, clock.monotonic() - from)
      return outcome
    },
    blocked: (tenant, participant, undo) => breakers.find(nameOf({ tenant, participant, undo }))?.blocked(),
    close: async () => origins.close(),
  }
}

const nameOf = ({ tenant, participant, undo }: Pick<Outgoing, 'tenant' | 'participant' | 'undo'>): string =>
  `${tenant} ${participant} ${undo ? 'undo' : 'forward'}`

function connections({ egress: options, lookup = systemLookup, logger }: ParticipantsDeps, limits: ParticipantLimits) {
  const egress = createEgress(options)
  const connector = { egress, lookup: shareLookups(lookup), timeoutMs: limits.connectTimeoutMs, logger }
  const connect = (origin: string) =>
    new Pool(origin, {
      connections: limits.maxConnections,
      maxRequestsPerClient: limits.requestsPerConnection,
      keepAliveMaxTimeout: limits.maxIdleMs,
      connect: guardedConnector(new URL(origin), connector),
    })
  return new Origins(limits.maxOrigins, connect)
}

/** Nothing of it is the participant's fault. */
const crowded: Ended = {
  outcome: { kind: 'postponed', afterMs: 1_000, why: 'calls go to as many other hosts as may be at once' },
  verdict: 'none',
}

/** What kept a request from being sent, as an outcome. Anything else is a bug, and is thrown. */
function notSent(error: unknown): Outcome {
  if (error instanceof Unsendable) return { kind: 'refused', permanent: true, why: error.message }
  if (error instanceof AppError) {
    const { code, message: why, retryAfterMs } = error
    if (code === 'CANCELLED') return { kind: 'refused', permanent: false, why }
    if (code === 'UNAVAILABLE' || code === 'OVERLOADED')
      return { kind: 'postponed', afterMs: retryAfterMs ?? 1_000, why }
  }
  throw error
}
