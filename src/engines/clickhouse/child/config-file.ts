import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Server configuration of the embedded engine: every part is fsynced before an insert returns (the engine's defaults
 * would lose acknowledged rows in a power cut), deduplication of insert tokens is on, and the pools fit a small box.
 */
export function writeEngineConfig(directory: string): string {
  const path = join(directory, 'engine.xml')
  writeFileSync(
    path,
    `<clickhouse>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <non_replicated_deduplication_window>10000</non_replicated_deduplication_window>
  </merge_tree>
  <background_pool_size>2</background_pool_size>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_move_pool_size>1</background_move_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <mark_cache_size>67108864</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <logger><level>none</level></logger>
</clickhouse>
`,
    { mode: 0o600 },
  )
  return path
}

export function connectionArgs(configFile: string, maxMemoryBytes: number): string[] {
  return [
    `--config-file=${configFile}`,
    `--max_server_memory_usage=${maxMemoryBytes}`,
    '--max_query_size=16777216',
    '--async_insert=0',
    '--async_load_databases=0',
    '--output_format_json_quote_64bit_integers=1',
  ]
}
