/**
 * How rows go into the events table: strings of JSON data stay strings (no guessing of dates), a path that comes twice is
 * no reason to lose an event, and a block becomes one part.
 */
export const insertSettings = {
  async_insert: 0,
  input_format_try_infer_dates: 0,
  input_format_try_infer_datetimes: 0,
  type_json_skip_duplicated_paths: 1,
  max_insert_block_size: 1_048_576,
  min_insert_block_size_rows: 1_048_576,
  min_insert_block_size_bytes: 536_870_912,
  max_partitions_per_insert_block: 10,
} as const
