/*
 * How long calls took, as counts in classes. Each class ends 10 % above the one before, and 200 ms is the end of one, so
 * that "slower than 200 ms" is exact and everything else within 10 %. From 1 ms to one minute.
 */
const [anchorMs, ratio, below, above] = [200, 1.1, 56, 60]

export const classCount = below + above + 2

export function classOf(ms: number): number {
  const steps = Math.ceil(Math.log(Math.max(ms, 1e-3) / anchorMs) / Math.log(ratio))
  return Math.min(Math.max(steps + below, 0), classCount - 1)
}

/** The longest time of a class, ms. */
function endOf(index: number): number {
  return anchorMs * ratio ** (index - below)
}

/** The time that this part of the calls kept to (0.99: all but one in a hundred), ms; 0 without calls. */
export function quantile(counts: Uint32Array, total: number, part: number): number {
  if (total === 0) return 0
  let left = Math.ceil(total * part)
  for (let index = 0; index < classCount; index++) {
    left -= counts[index]!
    if (left <= 0) return endOf(index)
  }
  return endOf(classCount - 1)
}

/** How many calls certainly took longer than `ms`. */
export function slowerThan(counts: Uint32Array, ms: number): number {
  // A limit that was made from the end of a class must not miss that class by rounding.
  return counts.reduce((sum, count, index) => (endOf(index - 1) >= ms * (1 - 1e-9) ? sum + count : sum), 0)
}
