-- Events that start sagas, that sagas wait for, and that they emit.

-- Moves with every publication and retirement: consumers of events look whether they know the newest. A row instead of a
-- sequence, as a sequence moves before its transaction is committed: who looks in between would miss the definition.
DROP SEQUENCE publications;
CREATE TABLE publications (n bigint NOT NULL);
INSERT INTO publications VALUES (0);

-- What events the steps of this version wait for (domain/awaits.ts), JSON; NULL for none.
ALTER TABLE definitions ADD COLUMN awaits text;

-- `<source> <id>` of the event that started the saga: it is none that a step of it waits for. NULL for any other start.
ALTER TABLE waits ADD COLUMN not_event text;

-- Emitted events that ingest refuses, and will refuse again: kept for people to see.
CREATE TABLE outbox_refused (
  id bigint PRIMARY KEY,
  tenant text NOT NULL,
  event text NOT NULL,
  code text NOT NULL,
  detail text NOT NULL,
  refused_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- When a process began to tidy up: once an hour one of them does.
CREATE TABLE housekeeping (begun_at timestamptz NOT NULL);
INSERT INTO housekeeping VALUES ('-infinity');
