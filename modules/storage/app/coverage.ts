import type { Call, Position } from '@splitstream/kernel'
import type { EventsTable } from '../adapters/events-table.ts'
import type { SeenIndex } from '../domain/seen-index.ts'
import { tellOfKeys } from './warm-index.ts'

/**
 * What the index knows of each partition. A partition that another process stores comes with events that the index was not told
 * of. Their keys are read in: all of them before the lane of the partition stores anything, or their retries would look new; and
 * those of other processes' partitions from time to time, because an event that is sent again with another subject comes here.
 */
export class Coverage {
  readonly #known: Map<number, number>
  readonly #extending = new Map<number, Promise<void>>()

  /** @param known the offset below which everything was stored, by partition, when the index was about to be filled */
  constructor(known: Position) {
    this.#known = new Map(known)
  }

  /** The lane itself told the index of everything before `next`. */
  advance(partition: number, next: number): void {
    this.#known.set(partition, next)
  }

  /**
   * Brings the index up to what is stored below these offsets. Those who ask for the same partition take turns.
   * @throws AppError UNAVAILABLE and what the engine says: then it may know some of it, and counts as knowing none
   */
  async extend(index: SeenIndex, table: EventsTable, stored: Position, call: Call): Promise<void> {
    const before = Promise.all([...stored.keys()].map((partition) => this.#extending.get(partition)))
    const extended = before.then(() => this.#extend(index, table, stored, call))
    const settled = extended.catch(() => undefined)
    for (const partition of stored.keys()) this.#extending.set(partition, settled)
    await extended
  }

  async #extend(index: SeenIndex, table: EventsTable, stored: Position, call: Call): Promise<void> {
    const places = [...stored]
      .map(([partition, next]) => ({ partition, from: this.#known.get(partition) ?? 0, next }))
      .filter(({ from, next }) => next > from)
    if (places.length === 0) return
    const expected = await table.countIn(places, call)
    await tellOfKeys(index, 'add', await table.keysIn(places, call), expected)
    for (const { partition, next } of places) {
      this.#known.set(partition, Math.max(this.#known.get(partition) ?? 0, next))
    }
  }
}
