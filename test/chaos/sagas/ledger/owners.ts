import pg from 'pg'

/** Who sent a call, as Postgres has it; the ledger looks from outside, over a connection of its own. */
export class Owners {
  readonly #client: pg.Client

  private constructor(client: pg.Client) {
    this.#client = client
  }

  static async connect(postgresUrl: string): Promise<Owners> {
    const client = new pg.Client({ connectionString: postgresUrl })
    client.on('error', () => {})
    await client.connect()
    return new Owners(client)
  }

  /**
   * The process id of the worker that owns the saga under this fencing number. `undefined`: another one owns it by now.
   * `no intent`: the call of the step is not in the saga's journal, though it was sent.
   */
  async find(saga: string, fence: number, step: string, undo: boolean): Promise<number | 'no intent' | undefined> {
    const { rows } = await this.#client.query<{ journal: string; fence: string; worker: string | null }>(
      `SELECT s.journal, s.fence, w.name AS worker FROM sagas.sagas s LEFT JOIN sagas.workers w ON w.id = s.owner
       WHERE s.id = $1`,
      [saga],
    )
    const [row] = rows
    if (!row?.journal.includes(`{"e":"${undo ? 'undo' : 'go'}","s":"${step}"`)) return 'no intent'
    return row.worker !== null && Number(row.fence) === fence ? Number(row.worker.split(':').at(-1)) : undefined
  }
}
