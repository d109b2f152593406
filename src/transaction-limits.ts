/**
 * How long nothing may happen in a transaction of a module before Postgres ends it, ms; a minute if not given. A process that is cut off
 * or frozen in the middle of one keeps others waiting for so long.
 */
export const idleInTransactionMs: Readonly<Record<string, number>> = {
  /** Less than the lease of its worker. */
  sagas: 3_000,
  /** Others wait 30 s for a turn of the log. Its last user asks Kafka, which takes 5 s, within a transaction. */
  ingest: 8_000,
}
