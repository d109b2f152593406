import pg from 'pg'

/** Watches, in the table where it is recorded, how far each partition is stored. */
export class Standstill {
  readonly #client: pg.Client
  readonly #moved = new Map<number, { next: string; at: number }>()
  #longestMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(postgresUrl: string) {
    this.#client = new pg.Client({ connectionString: postgresUrl })
  }

  async start(): Promise<void> {
    await this.#client.connect()
    this.#timer = setInterval(() => void this.#look(), 200)
  }

  /** The longest time for which a partition did not move on, ms. Only while all partitions are being written to. */
  async stop(): Promise<number> {
    clearInterval(this.#timer)
    await this.#look()
    await this.#client.end()
    return Math.round(this.#longestMs)
  }

  async #look(): Promise<void> {
    const { rows } = await this.#client.query<{ log_partition: number; next_offset: string }>(
      'SELECT log_partition, next_offset FROM storage.progress',
    )
    const now = performance.now()
    for (const { log_partition: partition, next_offset: next } of rows) {
      const last = this.#moved.get(partition)
      if (last) this.#longestMs = Math.max(this.#longestMs, now - last.at)
      if (last?.next !== next) this.#moved.set(partition, { next, at: now })
    }
  }
}
