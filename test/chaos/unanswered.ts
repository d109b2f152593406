import type { Findings } from './findings.ts'

/** What a client counts when there was no answer: no connection, a connection that broke, or nothing for 20 s. */
const kinds = ['unsent', 'unknown', 'timeout'] as const

/**
 * Requests that nobody answered, for runs in which every one has to be. Answers are judged one by one as they come; what hangs
 * or is cut has none, and would pass unseen.
 * @param statuses of a load, counted
 */
export function judgeUnanswered(statuses: ReadonlyMap<string, number>, findings: Findings): void {
  for (const kind of kinds) {
    const times = statuses.get(kind)
    if (times !== undefined) findings.add('an append got no answer', `${kind}: ${times} times`)
  }
}
