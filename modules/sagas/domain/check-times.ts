import type { Path, Problems } from './check-problems.ts'
import type { RetryPolicy } from './definition.ts'
import { durationMs } from './duration.ts'
import { type Retry, retryOf } from './retry.ts'

/** A time limit of 0 would be met by nothing. */
export function checkPositive(text: string | undefined, path: Path, problems: Problems): void {
  if (text !== undefined && durationMs(text) === 0) problems.add(path, 'a time longer than 0 is expected')
}

/** Do the waits fit into each other? `base` has what the policy leaves open. */
export function checkRetry(policy: RetryPolicy | undefined, base: Retry, path: Path, problems: Problems): void {
  if (!policy) return
  const { initialMs, maxMs, withinMs, attempts } = retryOf(policy, base)
  if (attempts === 1) return
  const byDefault = (name: 'max' | 'within') =>
    policy[name] === undefined ? ` (by default, as no ${name} is given)` : ''
  if (initialMs > maxMs) problems.add([...path, 'max'], `shorter than the first wait${byDefault('max')}`)
  if (initialMs > withinMs) problems.add([...path, 'within'], `shorter than the first wait${byDefault('within')}`)
}
