import { type Breakers, noMetrics, silentLogger, systemClock } from '@splitstream/kernel'
import { createBreakers } from '../../../../src/resilience/breakers.ts'
import type { Outgoing } from '../../app/participants.ts'
import { createParticipants, type ParticipantsDeps } from './participants.ts'

export const secret = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')

const noBreakers = (): Breakers =>
  createBreakers({
    kind: 'saga_participants',
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
    limits: { minCalls: 1_000_000 },
  })

/** With real time and breakers that stay closed. */
export function participants(given: Partial<ParticipantsDeps> = {}) {
  return createParticipants({
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
    breakers: noBreakers(),
    secrets: () => [secret],
    egress: { allow: ['127.0.0.1', '[::1]'] },
    version: '1.2.3',
    ...given,
  })
}

export function outgoing(url: string, given: Partial<Outgoing> = {}): Outgoing {
  return {
    tenant: 'acme',
    participant: 'order/payments',
    settings: { url, maxConcurrent: 1_000 },
    undo: false,
    method: 'POST',
    url: `${url}/charge`,
    headers: {},
    body: { amount: 100 },
    idempotencyKey: 'saga-1.charge.forward',
    fence: '42',
    timeoutMs: 2_000,
    ...given,
  }
}

export const never: AbortSignal = new AbortController().signal
