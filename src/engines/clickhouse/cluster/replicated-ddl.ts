import { AppError } from '@splitstream/kernel'

/** Replicas of a table meet at this path in Keeper, and each has its name there: macros of the servers fill it in. */
export const keeperPath = '/clickhouse/tables/{shard}/{database}/{table}'
export const replicaMacro = '{replica}'

/**
 * Tokens are known for so many blocks, and for so long, s. The servers' own default is an hour: less than an outage may last
 * with inserts of unknown outcome.
 */
const windowBlocks = 10_000
const windowSeconds = 604_800

/**
 * The statement of a migration for replicas: MergeTree becomes ReplicatedMergeTree, what is remembered of tokens is in Keeper, and
 * a part that is fetched from another replica is fsynced as one that is inserted.
 * @throws AppError CONFIG_INVALID for an engine that has no rule here
 */
export function replicated(statement: string): string {
  if (!/^\s*CREATE\s+TABLE\b/i.test(statement)) return statement
  const engine = /\bENGINE\s*=\s*(\w+)(\s*\(\s*\))?/i.exec(statement)
  if (engine?.[1] !== 'MergeTree') {
    throw new AppError('CONFIG_INVALID', `There is no replicated form of the engine ${engine?.[1] ?? '(none)'}`)
  }
  const own = `ENGINE = ReplicatedMergeTree('${keeperPath}', '${replicaMacro}')`
  const sql = statement.replace(engine[0], own)
  const settings = `replicated_deduplication_window = ${windowBlocks},
  replicated_deduplication_window_seconds = ${windowSeconds},
  min_compressed_bytes_to_fsync_after_fetch = 1`
  const window = /\bnon_replicated_deduplication_window\s*=\s*\d+/i
  if (window.test(sql)) return sql.replace(window, settings)
  return /\bSETTINGS\b/i.test(sql)
    ? sql.replace(/\bSETTINGS\b/i, `SETTINGS ${settings},`)
    : `${sql}\nSETTINGS ${settings}`
}
