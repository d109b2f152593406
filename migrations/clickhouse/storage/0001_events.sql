-- One row for each event, exactly once; no reader needs FINAL. Columns are in the order of the log record's rows.
--  * `data` is what the client sent; `doc` is the same JSON in columns, for filters and measures over its paths.
--  * The order serves the newest-first listing and is the key of the look-up that keeps old retries out.
--  * One partition a month of arrival: an insert is one part, and so atomic, however mixed its event times are.
CREATE TABLE IF NOT EXISTS events (
  _log_partition UInt32 CODEC(Delta, ZSTD(1)),
  _log_offset UInt64 CODEC(Delta, ZSTD(1)),
  _key UInt64 CODEC(NONE),
  time DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  received DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
  kind UInt8,
  flags UInt8,
  tenant LowCardinality(String),
  id String CODEC(ZSTD(1)),
  source LowCardinality(String),
  type LowCardinality(String),
  subject String CODEC(ZSTD(1)),
  datacontenttype LowCardinality(String),
  dataschema LowCardinality(String),
  extensions String CODEC(ZSTD(1)),
  data String CODEC(ZSTD(1)),
  doc JSON(max_dynamic_paths = 256) MATERIALIZED if(kind = 1 AND startsWith(data, '{'), data, '{}')::JSON(max_dynamic_paths = 256),
  INDEX log_offset _log_offset TYPE minmax GRANULARITY 1,
  INDEX arrival received TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received)
ORDER BY (tenant, time, _key)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
