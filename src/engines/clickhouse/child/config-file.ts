import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Server configuration of the embedded engine: every part is fsynced before an insert returns (the engine's defaults
 * would lose acknowledged rows in a power cut). Merged parts are not: docs/adr/0005. Deduplication of insert tokens is on, and the pools
 * fit a small box, whose cores are for who answers: docs/adr/0024.
 */
export function writeEngineConfig(directory: string, maxMemoryBytes: number): string {
  const path = join(directory, 'engine.xml')
  writeFileSync(
    path,
    `<clickhouse>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <non_replicated_deduplication_window>10000</non_replicated_deduplication_window>
  </merge_tree>
  <background_pool_size>1</background_pool_size>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_move_pool_size>1</background_move_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <max_server_memory_usage>${Math.floor(maxMemoryBytes)}</max_server_memory_usage>
  <mark_cache_size>33554432</mark_cache_size>
  <primary_index_cache_size>33554432</primary_index_cache_size>
  <index_mark_cache_size>4194304</index_mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <compiled_expression_cache_size>16777216</compiled_expression_cache_size>
  <query_condition_cache_size>8388608</query_condition_cache_size>
  <parquet_metadata_cache_size>4194304</parquet_metadata_cache_size>
  <iceberg_metadata_files_cache_size>0</iceberg_metadata_files_cache_size>
  <max_parts_cleaning_thread_pool_size>2</max_parts_cleaning_thread_pool_size>
  <max_thread_pool_size>256</max_thread_pool_size>
  <max_thread_pool_free_size>16</max_thread_pool_free_size>
  <logger><level>none</level></logger>
</clickhouse>
`,
    { mode: 0o600 },
  )
  return path
}

/** Settings of every connection; a request may set others. */
export const baselineArgs: readonly string[] = [
  '--max_query_size=16777216',
  '--async_insert=0',
  '--implicit_select=0', // chDB would take "1 + 1" for a statement
  '--allow_introspection_functions=0',
  '--input_format_allow_seeks=0', // rows come through a pipe
  '--output_format_json_quote_64bit_integers=1',
]
