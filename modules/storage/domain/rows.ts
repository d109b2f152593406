import type { RecordView } from '@splitstream/ingest/contract'

/** One event of a block. */
export interface BlockRow {
  readonly record: RecordView
  readonly index: number
  readonly offset: number
}

/** Neighbouring rows of one record: `from` … `to` - 1, of which the row i has the offset `base` + i. At least one. */
export interface Run {
  readonly record: RecordView
  readonly base: number
  readonly from: number
  readonly to: number
}

/**
 * Rows in the order of their offsets. Kept as runs: an object for each of the 65,000 rows of a full block, which all live as long as
 * its insert, had the garbage collector hold up requests for 20 ms and more.
 */
export class Rows {
  readonly runs: readonly Run[]
  readonly length: number

  constructor(runs: readonly Run[]) {
    this.runs = runs
    this.length = runs.reduce((sum, { from, to }) => sum + to - from, 0)
  }

  get first(): BlockRow | undefined {
    const [run] = this.runs
    return run && { record: run.record, index: run.from, offset: run.base + run.from }
  }

  *[Symbol.iterator](): Generator<BlockRow, void> {
    for (const { record, base, from, to } of this.runs) {
      for (let index = from; index < to; index++) yield { record, index, offset: base + index }
    }
  }

  without(offsets: ReadonlySet<number>): Rows {
    if (offsets.size === 0) return this
    const runs: Run[] = []
    for (const run of this.runs) {
      let { from } = run
      for (let index = run.from; index < run.to; index++) {
        if (!offsets.has(run.base + index)) continue
        if (from < index) runs.push({ ...run, from, to: index })
        from = index + 1
      }
      if (from < run.to) runs.push({ ...run, from })
    }
    return new Rows(runs)
  }

  /** The first half, which is the smaller one, and the other. */
  halves(): readonly [Rows, Rows] {
    const low: Run[] = []
    const high: Run[] = []
    let room = this.length >> 1
    for (const run of this.runs) {
      const middle = Math.min(run.to, run.from + room)
      if (run.from < middle) low.push({ ...run, to: middle })
      if (middle < run.to) high.push({ ...run, from: middle })
      room -= middle - run.from
    }
    return [new Rows(low), new Rows(high)]
  }
}
