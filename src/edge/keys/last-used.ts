import type { Postgres } from '@splitstream/kernel'

/** Remembers which keys were used, and writes it down now and then: a request never waits for it. */
export class LastUsed {
  #since = new Map<string, number>()

  /** @param now wall clock, ms */
  note(id: string, now: number): void {
    this.#since.set(id, now)
  }

  /** What cannot be written is kept for the next time. @throws AppError UNAVAILABLE and the like */
  async write(postgres: Postgres): Promise<void> {
    if (this.#since.size === 0) return
    const noted = this.#since
    this.#since = new Map()
    try {
      await postgres.query(
        `UPDATE api_keys SET last_used_at = greatest(last_used_at, to_timestamp(used.at / 1000.0))
         FROM unnest($1::text[], $2::float8[]) AS used (id, at) WHERE api_keys.id = used.id`,
        [[...noted.keys()], [...noted.values()]],
      )
    } catch (error) {
      for (const [id, at] of noted) if (!this.#since.has(id)) this.#since.set(id, at)
      throw error
    }
  }
}
