import type { PlannedCall } from './plan.ts'
import type { Tries } from './state.ts'

/** What can be sent next: the same again, a question about what became of it, or nothing that is safe. */
export type Next = 'send' | 'look' | { readonly why: string }

/** A call leaves at most so long after its intent, ms: its commit and what it waits for in memory are in between (perform.ts). */
export const leavesWithinMs = 2_500

/**
 * When a call that nobody heard of is over, t: until then it may take effect, so neither its undo nor a lookup must come first.
 * Its participant was told for how long it may (Request-Timeout).
 */
export function overAt({ timeoutMs }: PlannedCall, { silentAt }: Tries): number {
  return silentAt < 0 ? 0 : silentAt + leavesWithinMs + timeoutMs
}

/** When the next attempt is due, t: a lookup not before what it asks for is over. */
export function dueAt(call: PlannedCall, tries: Tries, t: number): number {
  return nextOf(call, tries, t) === 'look' ? Math.max(tries.due, overAt(call, tries)) : tries.due
}

/**
 * A key may be sent again for as long as its participant surely knows it. After that the same request could take effect a
 * second time; and a participant that repeats its errors would only repeat the last one. Then a lookup tells, if there is
 * one, or a person has to.
 */
export function nextOf(call: PlannedCall, tries: Tries, t: number): Next {
  if (tries.effect === 'none') return 'send'
  const forgotten = tries.keyAt >= 0 && t + call.timeoutMs > tries.keyAt + call.keyWindowMs
  const repeated = call.settings.replaysErrors === true && tries.erred
  if (!forgotten && !repeated) return 'send'
  if (call.lookup) return 'look'
  return { why: forgotten ? 'its participant may have forgotten the key' : 'its participant repeats the error' }
}
