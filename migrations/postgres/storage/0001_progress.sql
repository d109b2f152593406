-- Exactly once, log to ClickHouse: what is confirmed, what is under way, what could not be stored.

-- One row for each log partition. Everything before next_offset is confirmed: in the events table, or a duplicate, or a
-- dead letter. `epoch` is the fencing token of the consumer that owns the partition: every write names it.
CREATE TABLE progress (
  log_partition integer PRIMARY KEY,
  next_offset bigint NOT NULL DEFAULT 0,
  stored_rows bigint NOT NULL DEFAULT 0,
  epoch bigint NOT NULL DEFAULT 0
);

-- Ranges whose insert was begun and is not confirmed. A restart replays exactly these.
CREATE TABLE pending (
  log_partition integer NOT NULL,
  first_offset bigint NOT NULL,
  last_offset bigint NOT NULL,
  begun_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (log_partition, first_offset),
  CHECK (first_offset <= last_offset)
);

-- Events that were acknowledged and cannot be stored, with their reason. The id names the place in the log, so that a
-- replayed range writes each dead letter once.
CREATE TABLE dead_letters (
  id text PRIMARY KEY,
  tenant text NOT NULL,
  log_partition integer NOT NULL,
  log_offset bigint NOT NULL,
  code text NOT NULL,
  reason text NOT NULL,
  -- The event in CloudEvents JSON with its data as received; the raw record when it could not be decoded.
  event bytea NOT NULL,
  failed_at timestamptz NOT NULL DEFAULT now(),
  replayed_at timestamptz
);

CREATE INDEX dead_letters_by_tenant ON dead_letters (tenant, failed_at DESC, id DESC);

-- Events that were confirmed and are no longer in the events table, and could not be brought back from the log. Not ready
-- until an operator has acknowledged them: nothing goes missing in silence.
CREATE TABLE losses (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  log_partition integer NOT NULL,
  missing bigint NOT NULL,
  noticed_at timestamptz NOT NULL DEFAULT now(),
  acknowledged_at timestamptz
);
