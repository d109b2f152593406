-- Sagas: what was published, what runs, who runs it. The tables of sagas are partitioned by week (adapters/partitions.ts).

-- Every version that was ever published; a saga keeps to the version that it started with.
CREATE TABLE definitions (
  tenant text NOT NULL,
  name text NOT NULL,
  version integer NOT NULL,
  -- As published, JSON. Text, so that it comes back byte for byte.
  body text NOT NULL,
  -- Of the events that start it; NULL for none. Kept apart so that consumers of events find it without reading bodies.
  trigger_type text,
  published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  published_by text NOT NULL,
  -- No new saga is started with any version of a name whose newest version is retired.
  retired_at timestamptz,
  PRIMARY KEY (tenant, name, version)
);
-- Moves with every publication: consumers of events look whether they know the newest.
CREATE SEQUENCE publications;

-- Processes that run sagas. A worker whose lease has expired by this clock may be declared dead by any other one, which
-- deletes its row: then it can renew no more, and its sagas are free.
CREATE TABLE workers (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  expires_at timestamptz NOT NULL
);

-- Fencing numbers: each time a saga changes hands it gets a greater one.
CREATE SEQUENCE fences;

-- The current state of each saga, and its whole journal. Columns that a transition leaves alone come first: what is logged
-- for an update is what lies between the first and the last byte that changed.
CREATE TABLE sagas (
  -- UUIDv7: ordered by the start.
  id uuid NOT NULL,
  version integer NOT NULL,
  tenant text NOT NULL,
  name text NOT NULL,
  -- The owner's fencing number: an update that names another one is refused.
  fence bigint NOT NULL,
  -- The worker that runs it; NULL while it waits for something.
  owner integer,
  -- When a worker has to look at it, while it has no owner.
  due_at timestamptz,
  ended_at timestamptz,
  -- Messages ever sent to it (table mail).
  mail integer NOT NULL DEFAULT 0,
  status text NOT NULL,
  -- Transitions so far: a transition whose commit is in doubt is recognised when it is tried again.
  seq integer NOT NULL DEFAULT 0,
  -- What keeps it from going on, for people; NULL when nothing does.
  problem text,
  -- Newest line first (domain/entry.ts).
  journal text NOT NULL,
  -- One index for a saga and for the list of a tenant's sagas. An id alone is unique too.
  PRIMARY KEY (tenant, id)
) PARTITION BY RANGE (id);

CREATE INDEX sagas_owned ON sagas (owner) WHERE owner IS NOT NULL;
CREATE INDEX sagas_due ON sagas (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sagas_with_problem ON sagas (tenant, id) WHERE problem IS NOT NULL;

-- What starts at most one saga: an Idempotency-Key, an event that triggers. The key is a hash of what it is about.
CREATE TABLE starts (
  key bytea PRIMARY KEY,
  saga_id uuid NOT NULL
);

-- Messages to sagas: an event that came, a lock that is free, a child that ended, an operator's order. Deleted in the
-- transition that takes them in.
CREATE TABLE mail (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant text NOT NULL,
  saga_id uuid NOT NULL,
  -- JSON. Text, as jsonb refuses some of it.
  body text NOT NULL
);
CREATE INDEX mail_by_saga ON mail (saga_id);

-- Steps that wait for an event. The key is a hash of the event's type and of the fields and values that it must have.
CREATE TABLE waits (
  tenant text NOT NULL,
  key bytea NOT NULL,
  saga_id uuid NOT NULL,
  step text NOT NULL,
  PRIMARY KEY (tenant, key, saga_id, step)
);
CREATE INDEX waits_by_saga ON waits (saga_id);

-- Events that some step may wait for, kept for a while: an event may come before the step that waits for it.
CREATE TABLE early_events (
  tenant text NOT NULL,
  key bytea NOT NULL,
  -- Hash of (source, id): the same event twice is one.
  event_key bytea NOT NULL,
  received_at timestamptz NOT NULL,
  event text NOT NULL,
  PRIMARY KEY (tenant, key, event_key)
);
CREATE INDEX early_events_by_age ON early_events (received_at);

-- Locks that sagas hold until they end. The fencing number grows with each grant of a key: what the lock protects may check it.
CREATE TABLE locks (
  tenant text NOT NULL,
  key text NOT NULL,
  saga_id uuid NOT NULL,
  step text NOT NULL,
  fence bigint NOT NULL DEFAULT nextval('fences'),
  granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, key)
);
CREATE INDEX locks_by_saga ON locks (saga_id);
CREATE TABLE lock_waiters (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant text NOT NULL,
  key text NOT NULL,
  saga_id uuid NOT NULL,
  step text NOT NULL,
  UNIQUE (tenant, key, saga_id, step)
);
CREATE INDEX lock_waiters_by_saga ON lock_waiters (saga_id);

-- Events that sagas emitted, until ingest has them.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant text NOT NULL,
  event text NOT NULL
);
