import type { Call } from './call.ts'

/** What modules see of Postgres; implemented in src/engines/postgres. Each module gets its own role and schema. */
export interface PostgresTx {
  /**
   * Runs one statement; values are always bound. With a `name` the server parses it once for each connection: for texts that
   * never change and run often. @throws AppError UNAVAILABLE when the connection is lost.
   */
  query<T>(text: string, values?: readonly unknown[], name?: string): Promise<T[]>
}

export interface Postgres extends PostgresTx {
  /** Runs `fn` in one transaction; commits when it returns, rolls back when it throws. */
  tx<T>(fn: (tx: PostgresTx) => Promise<T>): Promise<T>
  /**
   * Tells of notifications on a channel (LISTEN), for as long as the connection holds: it is made again after a while when it is
   * lost, and what was sent in between is missed. So it only saves waiting for the next look.
   */
  listen(channel: string, onMessage: (payload: string) => void): { stop(): Promise<void> }
}

export type ClickHouseParam = string | number | boolean | null | readonly ClickHouseParam[]
export type ClickHouseSettings = Readonly<Record<string, string | number | boolean>>

export interface ClickHouseQuery {
  /** SQL with `{name:Type}` placeholders; values never enter the text. */
  readonly sql: string
  readonly params?: Readonly<Record<string, ClickHouseParam>>
  readonly settings?: ClickHouseSettings
  /**
   * For replicas of a cluster; one server takes no notice. `majority`: what the answer holds is on as many replicas as an insert
   * waits for. `each`: asked of every replica, perhaps twice, and the rows put together; one that has been away for longer than any insert may take is
   * left out. `any`: asked of two at the same time, and the first answer counts: for questions about ClickHouse as a whole. If unset, one replica
   * answers, and has all that is stored.
   */
  readonly replicas?: 'majority' | 'each' | 'any'
}

export interface ClickHouseInsert {
  readonly table: string
  readonly columns: readonly string[]
  /** A ClickHouse input format, such as RowBinary. */
  readonly format: string
  readonly body: Uint8Array | readonly Uint8Array[] | AsyncIterable<Uint8Array>
  readonly settings?: ClickHouseSettings
}

/** What modules see of ClickHouse; implemented in src/engines/clickhouse, the same for embedded and external servers. */
export interface ClickHouse {
  /** Rows as JSON objects; 64-bit integers come as strings. Closing the call's signal kills the query in the engine. */
  rows<T>(query: ClickHouseQuery, call: Call): Promise<T[]>
  /** The raw answer in any output format, streamed. */
  stream(query: ClickHouseQuery & { format: string }, call: Call): Promise<AsyncIterable<Uint8Array>>
  /** A statement without an answer (DDL, OPTIMIZE). */
  command(query: ClickHouseQuery, call: Call): Promise<void>
  /** Resolves once the engine has written the block. @throws ClickHouseError, or AppError UNAVAILABLE (outcome unknown). */
  insert(insert: ClickHouseInsert, call: Call): Promise<{ writtenRows: number }>
}

/** The engine refused the statement. `retryable` comes from the classification of the engine's code. */
export class ClickHouseError extends Error {
  readonly code = 'CLICKHOUSE' as const
  /** The engine's numeric code, such as 60. */
  readonly number: number
  /** The engine's symbolic code, such as UNKNOWN_TABLE. */
  readonly type: string
  readonly retryable: boolean

  constructor(number: number, type: string, message: string, retryable: boolean) {
    super(message)
    this.name = 'ClickHouseError'
    this.number = number
    this.type = type
    this.retryable = retryable
  }
}
