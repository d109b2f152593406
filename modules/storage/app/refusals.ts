import type { ClickHouseError, Clock } from '@splitstream/kernel'
import type { Range } from '../adapters/progress.ts'

/** Engine errors that a row of the block causes, not the state of the engine: the block is split until the row is alone. */
const dataErrors = new Set([
  6, 20, 25, 26, 27, 33, 38, 41, 43, 49, 53, 69, 70, 72, 117, 124, 130, 131, 158, 190, 306, 321, 349, 407, 434, 441,
  454, 467, 469, 483, 611, 636, 681,
])

/** Codes that a smaller block can get around, though no row is to blame (MEMORY_LIMIT_EXCEEDED). */
const sizeErrors = new Set([241])

/** About the table, the account or the statement, whatever the row: no such column, table, function, user, right. */
const tableErrors = new Set([16, 46, 47, 48, 60, 62, 81, 115, 192, 193, 194, 195, 497])

/** How often and for how long (ms) any other code is taken for the engine's, which mends itself or is mended. */
export interface Patience {
  readonly attempts: number
  readonly ms: number
}

/** Rows that are tried alone, one after another, before it is the engine that takes none. */
const maxAlone = 8

/** A code is remembered for so long after it came last, ms: a client that goes on sending such rows has each put aside at once. */
const rememberedMs = 600_000

/** How many inserts had been taken when this range was refused. */
interface Baseline extends Range {
  readonly taken: number
}

const maxBaselines = 16

interface Refusal {
  readonly code: number
  readonly since: number
  last: number
  attempts: number
  alone: number
  baselines: Baseline[]
}

/**
 * What a refusal of the engine means:
 *   split     a row of the block is to blame, or may be: its halves are tried;
 *   row       the row that is alone is to blame: it becomes a dead letter;
 *   unproven  it would be, but the engine took nothing else since the row was refused: others are tried, then it again;
 *   engine    the engine cannot do it now: all of it is tried again later.
 * The codes that are known to be about data say so at once. Any other has to be refused for minutes in the partition, and then
 * a row alone, while the engine takes other rows: so no outage makes a dead letter, and no row stops its partition for ever.
 * A repair asks for no such proof of a few rows.
 */
export type Meaning = 'split' | 'row' | 'unproven' | 'engine'

export class Refusals {
  readonly #clock: Clock
  readonly #patience: Patience
  readonly #unproven = new WeakMap<Error, Range>()
  /** By partition. */
  readonly #refused = new Map<number, Refusal>()
  #taken = 0

  constructor(clock: Clock, patience: Patience = { attempts: 5, ms: 180_000 }) {
    this.#clock = clock
    this.#patience = patience
  }

  /** The engine took rows, of whichever partition. */
  taken(): void {
    this.#taken++
  }

  /** True for an error that was judged to be `unproven` for this range, which was not split then. */
  isUnproven(error: unknown, range: Range): boolean {
    const of = error instanceof Error ? this.#unproven.get(error) : undefined
    return of?.first === range.first && of.last === range.last
  }

  /**
   * @param rows how many the range has
   * @param inRepair it was gone through before: what was a dead letter then is missing, too, and there may be nothing else to try
   */
  judge(partition: number, range: Range, rows: number, error: ClickHouseError, inRepair: boolean): Meaning {
    const { number: code, retryable } = error
    if (dataErrors.has(code)) return rows > 1 ? 'split' : 'row'
    if (sizeErrors.has(code) && rows > 1) return 'split'
    if (tableErrors.has(code) || (retryable && !sizeErrors.has(code))) return 'engine'
    const refusal = this.#refusalOf(partition, code)
    const isSpent = refusal.attempts > this.#patience.attempts && refusal.last - refusal.since >= this.#patience.ms
    if (!isSpent) return 'engine'
    const baseline = this.#baselineOf(refusal, range)
    if (rows > 1) return 'split'
    if (this.#taken > baseline) return 'row'
    refusal.alone = (refusal.alone + 1) % maxAlone
    if (refusal.alone === 0) return 'engine'
    if (inRepair) return 'row'
    this.#unproven.set(error, range)
    return 'unproven'
  }

  #refusalOf(partition: number, code: number): Refusal {
    const now = this.#clock.monotonic()
    let refusal = this.#refused.get(partition)
    if (!refusal || refusal.code !== code || now - refusal.last > rememberedMs) {
      refusal = { code, since: now, last: now, attempts: 0, alone: 0, baselines: [] }
      this.#refused.set(partition, refusal)
    }
    refusal.last = now
    refusal.attempts++
    return refusal
  }

  /** Of the range, or the one that it is a part of. */
  #baselineOf(refusal: Refusal, range: Range): number {
    const known = refusal.baselines.find((one) => one.first <= range.first && range.last <= one.last)
    if (known) return known.taken
    refusal.baselines = [...refusal.baselines.slice(1 - maxBaselines), { ...range, taken: this.#taken }]
    return this.#taken
  }
}
