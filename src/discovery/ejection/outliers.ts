import type { Calls } from './call-window.ts'

/** Calls in the window below which nothing is said about an instance. */
const leastCalls = 10
/** Part of the calls. */
const worstErrorRate = 0.5
const [slowFactor, slowMs] = [3, 200]
/** So that one slow call among few, which is their p99, is no reason. */
const leastSlow = 3

export interface Outlier<K> {
  readonly key: K
  /** For people. */
  readonly reason: string
}

/**
 * Those that fall out, the worst first: by errors, then by time. An instance is out by errors when at least half of 10 or
 * more calls failed; by time when more than one in a hundred calls, and 3 at least, took longer than `slowLimit`.
 */
export function outliers<K>(serving: ReadonlyMap<K, Calls>): Outlier<K>[] {
  const failing: { key: K; rank: number; reason: string }[] = []
  const slow: { key: K; rank: number; reason: string }[] = []
  for (const [key, calls] of serving) {
    const limit = slowLimit(serving, key)
    if (calls.count >= leastCalls && calls.errors >= calls.count * worstErrorRate) {
      failing.push({ key, rank: calls.errors / calls.count, reason: `${calls.errors} of ${calls.count} calls failed` })
    } else if (limit !== undefined && calls.timed >= leastCalls && isSlow(calls, limit)) {
      const reason = `p99 ${Math.round(calls.p99)} ms, the limit is ${Math.round(limit)} ms`
      slow.push({ key, rank: calls.p99, reason })
    }
  }
  const worstFirst = (a: { rank: number }, b: { rank: number }): number => b.rank - a.rank
  return [...failing.sort(worstFirst), ...slow.sort(worstFirst)].map(({ key, reason }) => ({ key, reason }))
}

/**
 * What the p99 of an instance may be, ms: three times the median p99 of the others, and 200 ms in any case. Undefined when
 * there is nobody to compare it with.
 */
export function slowLimit<K>(serving: ReadonlyMap<K, Calls>, key: K): number | undefined {
  const others = [...serving].filter(([other, calls]) => other !== key && calls.timed >= leastCalls)
  if (others.length === 0) return undefined
  return Math.max(slowMs, slowFactor * median(others.map(([, calls]) => calls.p99)))
}

function isSlow(calls: Calls, limit: number): boolean {
  const slow = calls.slowerThan(limit)
  return slow >= leastSlow && slow > calls.timed / 100
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
