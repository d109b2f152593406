import type { Health } from '@splitstream/kernel'
import type { Resolver } from './resolver.ts'

/** A resolver with a life: the same for fixed addresses, DNS and Consul. */
export interface Discovery extends Resolver {
  /** Resolves after the first answer, or after 2 s without one; it goes on asking. Never throws. */
  start(): Promise<void>
  /** Asks no more. What is known stays as it is. */
  stop(): Promise<void>
  /** `degraded`: the source does not answer and what it said last is used. `down`: no instance is known. */
  health(): Health
}
