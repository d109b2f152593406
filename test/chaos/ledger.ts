import { type FileHandle, open } from 'node:fs/promises'
import type { Batch, SentEvent } from './events.ts'

/*
 * The oracle: what the client knows. An event is in one of three states.
 *   acked    some attempt was answered with 2xx: it must be stored, once
 *   unknown  an attempt is under way or ended without an answer: it may be stored, once
 *   refused  every attempt was refused, or none reached the server: it must not be stored
 * An outcome counts only after the line about it is fsynced, so that a ledger read after any crash never claims less
 * than the client had been told.
 */
export type EventState = 'acked' | 'unknown' | 'refused'
export type Outcome = { kind: 'acked'; refused: ReadonlySet<number> } | { kind: 'refused' } | { kind: 'unknown' }

export interface Entry {
  readonly tenant: string
  readonly event: SentEvent
  acked: boolean
  /** Attempts whose outcome is not known. */
  open: number
}

export function stateOf(entry: Entry): EventState {
  if (entry.acked) return 'acked'
  return entry.open > 0 ? 'unknown' : 'refused'
}

export class Ledger {
  readonly path: string
  readonly entries = new Map<string, Entry>()
  readonly #file: FileHandle
  #lines: string[] = []
  #flush: Promise<void> | undefined
  #cut = false

  private constructor(path: string, file: FileHandle) {
    this.path = path
    this.#file = file
  }

  static async open(path: string): Promise<Ledger> {
    return new Ledger(path, await open(path, 'a'))
  }

  entry(tenant: string, id: string): Entry | undefined {
    return this.entries.get(`${tenant} ${id}`)
  }

  /** Right before the first byte of an attempt leaves. */
  begin(batch: Batch): void {
    for (const event of batch.events) {
      const key = `${batch.tenant} ${event.id}`
      const entry = this.entries.get(key) ?? { tenant: batch.tenant, event, acked: false, open: 0 }
      entry.open++
      this.entries.set(key, entry)
    }
  }

  /** Resolves once the outcome is durable and counts. */
  async end(batch: Batch, outcome: Outcome): Promise<void> {
    const { events } = batch
    const line = {
      tenant: batch.tenant,
      sender: batch.sender,
      first: events[0]!.n,
      last: events.at(-1)!.n,
      outcome: outcome.kind,
      ...(outcome.kind === 'acked' && outcome.refused.size > 0 && { refused: [...outcome.refused] }),
      ...(outcome.kind === 'acked' && { hashes: events.map((e) => e.hash.slice(0, 12)) }),
    }
    this.#lines.push(`${JSON.stringify(line)}\n`)
    await this.#sync()
    if (outcome.kind === 'unknown') return
    for (const [i, event] of events.entries()) {
      const entry = this.entries.get(`${batch.tenant} ${event.id}`)!
      if (outcome.kind === 'acked' && !outcome.refused.has(i)) {
        if (this.#cut) continue // after the power cut: the answer says nothing about the disk that is examined
        entry.acked = true
      }
      entry.open--
    }
  }

  /** From here on answers do not count: what is acknowledged now may be lost by the power cut that follows. */
  cut(): void {
    this.#cut = true
  }

  /** The cut is over: answers come from the server on the surviving disk. */
  resume(): void {
    this.#cut = false
  }

  counts(): Record<EventState, number> {
    const counts = { acked: 0, unknown: 0, refused: 0 }
    for (const entry of this.entries.values()) counts[stateOf(entry)]++
    return counts
  }

  async close(): Promise<void> {
    await this.#flush
    await this.#file.close()
  }

  /** One fdatasync for all lines that came while the one before ran. */
  async #sync(): Promise<void> {
    while (this.#flush) await this.#flush
    if (this.#lines.length === 0) return
    const text = this.#lines.join('')
    this.#lines = []
    this.#flush = this.#file
      .appendFile(text)
      .then(() => this.#file.datasync())
      .finally(() => {
        this.#flush = undefined
      })
    await this.#flush
  }
}
