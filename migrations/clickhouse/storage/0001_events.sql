-- The events, one row each, exactly once. Rows come in the order of rowColumns in modules/ingest/contract/record.ts.
-- `doc` is what queries over data read: a column of its own for each path of JSON data. What the engine's parser would
-- refuse (a lone surrogate, a number beyond a double) is left out of it, so that no document can refuse its batch. It is
-- cast, not extracted: JSONExtract makes NULL of what does not fit the type of an array's earlier elements. The insert's
-- settings (modules/storage/domain/table.ts) keep texts texts.
-- Parts below 64 MiB stay compact: few files to fsync for each insert; merges make wide ones.
CREATE TABLE IF NOT EXISTS events (
  _log_partition UInt32,
  _log_offset UInt64,
  _key UInt64,
  time DateTime64(6, 'UTC'),
  received DateTime64(6, 'UTC'),
  kind UInt8,
  flags UInt8,
  tenant LowCardinality(String),
  id String CODEC(ZSTD(1)),
  source LowCardinality(String),
  type LowCardinality(String),
  subject String,
  datacontenttype LowCardinality(String),
  dataschema LowCardinality(String),
  extensions String CODEC(ZSTD(1)),
  data String CODEC(ZSTD(1)),
  doc JSON(max_dynamic_paths = 256) MATERIALIZED
    if(kind = 1 AND startsWith(data, '{') AND isValidJSON(data), data, '{}')::JSON(max_dynamic_paths = 256),
  INDEX _log_offset _log_offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received)
ORDER BY (tenant, time, _key)
SETTINGS
  non_replicated_deduplication_window = 10000,
  fsync_after_insert = 1,
  fsync_part_directory = 1,
  min_bytes_for_wide_part = 67108864;
