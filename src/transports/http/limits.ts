import { maxInputBytes } from '../input-limit.ts'

/** What one caller may take of a port server. */
export interface ServerLimits {
  /** Input of a call, bytes. */
  readonly maxBodyBytes: number
  /** For the whole input to arrive, ms. */
  readonly bodyTimeoutMs: number
  /** Inputs in memory, over all calls, bytes. */
  readonly maxInFlightBytes: number
  /** Calls and streams that run at once; more are refused with OVERLOADED. */
  readonly maxCalls: number
  /** A caller that takes nothing of its answer for this long is cut, ms. */
  readonly stallMs: number
}

export const serverDefaults: ServerLimits = {
  maxBodyBytes: maxInputBytes,
  bodyTimeoutMs: 30_000,
  maxInFlightBytes: 128 << 20,
  maxCalls: 1_024,
  stallMs: 30_000,
}

/** What the calls of one process may take. */
export interface ClientLimits {
  /** An answer, or one line of a stream, bytes. */
  readonly maxAnswerBytes: number
  /** For a connection to be made, ms. An address that swallows packets must not eat the whole budget. */
  readonly connectTimeoutMs: number
  /** After the first try. */
  readonly maxRetries: number
  /** Before the first retry; twice that before the second. The wait is drawn from the upper half, ms. */
  readonly retryDelayMs: number
}

export const clientDefaults: ClientLimits = {
  maxAnswerBytes: 128 << 20,
  connectTimeoutMs: 2_000,
  maxRetries: 2,
  retryDelayMs: 30,
}
