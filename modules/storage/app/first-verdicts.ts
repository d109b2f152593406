import { type Block, tell, touch } from '../domain/block.ts'
import type { BlockRow } from '../domain/rows.ts'
import type { SeenIndex } from '../domain/seen-index.ts'
import { runsInTurns } from './rows-in-turns.ts'

/** A row whose event may be stored already. */
export interface Doubt {
  readonly row: BlockRow
  /** Its key was in the window: its event may be there with any time. */
  readonly seen: boolean
}

/** The rows of a partition that the index was told of: all below `next`; of the last block those whose key it had. */
interface Told {
  next: number
  seen: Set<number>
}

/**
 * Tells the index of the blocks of all partitions, and keeps what it said first. A block that could not be stored comes again, and
 * by then the index has the key of each of its rows: nothing is to be concluded from that, or an outage would have every row of
 * it sought in the whole table. Memory: the offsets of one block of each partition, at most.
 */
export class FirstVerdicts {
  readonly #told = new Map<number, Told>()

  /** The rows of the block that are not certainly new. One block of a partition at a time. */
  async doubts(block: Block, index: SeenIndex): Promise<Doubt[]> {
    const told = this.#of(block)
    const doubts: Doubt[] = []
    await runsInTurns(block.rows, ({ record, base, from, to }) => {
      for (let i = from; i < to; i++) touch(index, record, i)
      for (let i = from; i < to; i++) {
        const verdict = tell(index, record, i, block.partition)
        if (verdict === 'new') continue
        const offset = base + i
        const seen = offset < told.next ? told.seen.has(offset) : verdict === 'seen'
        if (seen) told.seen.add(offset)
        doubts.push({ row: { record, index: i, offset }, seen })
      }
    })
    told.next = Math.max(told.next, block.last + 1)
    return doubts
  }

  /** A block that begins where the last one ended: that one is confirmed. */
  #of({ partition, first }: Block): Told {
    let told = this.#told.get(partition)
    if (!told || first >= told.next) {
      told = { next: first, seen: new Set() }
      this.#told.set(partition, told)
    }
    return told
  }
}
