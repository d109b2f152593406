import type { ClickHouseSettings } from '@splitstream/kernel'

/** The events table, in the database of the connection: migrations/clickhouse/storage. */
export const eventsTable = 'events'

/**
 * Settings of every insert into it. They fix how the engine reads JSON data into `doc`: a text stays a text even when it
 * looks like a date or a number, and of a repeated path the first value counts.
 */
export const insertSettings: ClickHouseSettings = {
  async_insert: 0,
  input_format_try_infer_dates: 0,
  input_format_try_infer_datetimes: 0,
  input_format_json_try_infer_numbers_from_strings: 0,
  type_json_skip_duplicated_paths: 1,
}
