import type { ClickHouseSettings } from '@splitstream/kernel'

/*
 * Settings that our answers and books rest on, sent with each statement: a profile of the server's user may say otherwise. What
 * a statement sets itself wins. Left to the profile: limits that make a statement fail, which is seen.
 */

/** A profile that cuts answers short or serves old ones would make stored events look missing, and so double them. */
export const readSettings: ClickHouseSettings = {
  use_query_cache: 0,
  limit: 0,
  offset: 0,
  read_overflow_mode: 'throw',
  result_overflow_mode: 'throw',
  timeout_overflow_mode: 'throw',
  group_by_overflow_mode: 'throw',
  sort_overflow_mode: 'throw',
  distinct_overflow_mode: 'throw',
  set_overflow_mode: 'throw',
}

/** One insert of ours is at most 500,000 rows. */
const maxRowsOfInsert = 2_000_000

/**
 * An insert is one block, which is all there or not, and known by its token. Smaller blocks would be numbered within the token:
 * after a crash between two of them, the second try would be taken for the first block again, and the rest be lost.
 */
export const insertSettings: ClickHouseSettings = {
  async_insert: 0,
  // Newer versions look at deduplicate_insert instead, which older ones do not know: checkProfile looks at that.
  insert_deduplicate: 1,
  max_insert_block_size: maxRowsOfInsert,
  timeout_overflow_mode: 'throw',
}
