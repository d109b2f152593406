import type { Clock } from './clock.ts'
import { AppError, codeOf } from './errors.ts'

/**
 * What travels with every call across a port: explicit, mandatory, never ambient. A remote adapter sends it as headers
 * (the remaining budget, not a clock reading); an in-process adapter hands over the same object.
 */
export interface Call {
  /** The tenant that the caller's key belongs to: the only source of a tenant anywhere. */
  readonly tenant: string
  /** Who calls: the id of an API key, or `system`. */
  readonly principal: string
  /** Aborted when the caller went away or the process stops. */
  readonly signal: AbortSignal
  /** Monotonic instant (ms, `Clock.monotonic`) at which the budget is spent. */
  readonly deadline: number
  /** W3C trace context, when there is one. */
  readonly traceparent?: string | undefined
  /** The caller's idempotency key, when there is one. */
  readonly idempotencyKey?: string | undefined
}

/** What is left of the call's budget, ms; never below 0. */
export function remaining(call: Call, clock: Clock): number {
  return Math.max(0, call.deadline - clock.monotonic())
}

/**
 * Why a call ends whose signal is aborted. The signal says when it was the budget; by the clock alone it can look otherwise,
 * because a timer may fire a part of a millisecond early.
 */
export function whyAborted(signal: AbortSignal, cause?: unknown): AppError {
  const options = cause === undefined ? {} : { cause }
  return codeOf(signal.reason) === 'DEADLINE_EXCEEDED'
    ? new AppError('DEADLINE_EXCEEDED', 'The time budget is spent', options)
    : new AppError('CANCELLED', 'The caller went away', options)
}

/** @throws AppError CANCELLED or DEADLINE_EXCEEDED when the call should not go on. */
export function checkCall(call: Call, clock: Clock): void {
  if (call.signal.aborted) throw whyAborted(call.signal)
  if (clock.monotonic() >= call.deadline) throw new AppError('DEADLINE_EXCEEDED', 'The time budget is spent')
}

/** Resolves when the signal is aborted, or was. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** A call made by the system itself (start-up, consumers, maintenance), with a budget in ms. */
export function systemCall(clock: Clock, budgetMs: number, signal: AbortSignal, tenant = 'system'): Call {
  return { tenant, principal: 'system', signal, deadline: clock.monotonic() + budgetMs }
}

/** The same call, ended by another signal. */
export const withSignal = (call: Call, signal: AbortSignal): Call => new CallWithSignal(call, signal)

class CallWithSignal implements Call {
  readonly tenant: string
  readonly principal: string
  readonly deadline: number
  readonly traceparent: string | undefined
  readonly idempotencyKey: string | undefined
  readonly signal: AbortSignal

  constructor(call: Call, signal: AbortSignal) {
    this.tenant = call.tenant
    this.principal = call.principal
    this.deadline = call.deadline
    this.traceparent = call.traceparent
    this.idempotencyKey = call.idempotencyKey
    this.signal = signal
  }
}
