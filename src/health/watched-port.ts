import type { Call } from '@splitstream/kernel'
import type { ProcessHealth } from './process-health.ts'
import { verdictOf } from './verdicts.ts'

/** A budget that ends before was small, ms. Otherwise a call may take what it takes: some wait for events to be stored. */
const slowMs = 10_000

type Method = (input: unknown, call: Call) => Promise<unknown>

/** A port of another process, its calls observed: retries within a call are part of it. */
export function watchPort<P extends object>(name: string, port: P, health: ProcessHealth): P {
  const dependency = health.dependency(`link ${name}`)
  const judge = (error: unknown, ms: number) => verdictOf(error, ms, slowMs)
  const watched = (method: Method): Method => {
    return (input, call) => dependency.run(() => method(input, call), judge)
  }
  return Object.fromEntries(Object.entries(port).map(([method, run]) => [method, watched(run as Method)])) as P
}
