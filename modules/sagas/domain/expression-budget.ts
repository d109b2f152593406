import { ExpressionError } from './expression-error.ts'

/**
 * What one evaluation may still spend. `bytes`: of its result, as JSON. `work`: steps, about 50 ns each; without this bound a
 * few nested loops over a list of a thousand would hold up everything else in the process.
 */
export interface Room {
  bytes: number
  work: number
}

export const newRoom = (): Room => ({ bytes: 256 * 1024, work: 400_000 })

/** The room of the evaluation that runs. Evaluations are synchronous and never nest. */
let current = newRoom()

/** Once for all: after it was thrown, a loop that swallows errors may throw it again for each of its items. */
const exhausted = new ExpressionError(
  'The expression takes too much work; let it loop over less, or compare and join shorter values',
)

export function within<T>(room: Room, evaluate: () => T): T {
  current = room
  // `exists` and `||` go on after an error. Without a stack trace, which nobody sees, one costs a tenth.
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return evaluate()
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** @throws ExpressionError when that is more work than is left; the same on every machine, as no clock is involved */
export function spend(work: number): void {
  current.work -= work
  if (!(current.work >= 0)) throw exhausted
}

/** Work of taking a value in hand: its own length, not that of what it holds. */
export function workOf(value: unknown): number {
  if (typeof value === 'string') return 1 + value.length / 64
  if (typeof value !== 'object' || value === null) return 1
  return 1 + (Array.isArray(value) ? value.length : Object.keys(value).length)
}
