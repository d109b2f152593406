-- API keys. Only the SHA-256 of a key is kept; a key has at least 128 random bits, so a plain hash is enough.
CREATE TABLE api_keys (
  id text PRIMARY KEY,
  name text NOT NULL,
  tenant text NOT NULL,
  scopes text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['ingest', 'query', 'sagas', 'admin']),
  -- The operator manages the keys of all tenants.
  operator boolean NOT NULL DEFAULT false,
  -- The beginning of the key, to recognise it by.
  prefix text NOT NULL,
  hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
  -- The key before the last rotation, valid until the grace period ends.
  previous_hash bytea UNIQUE CHECK (length(previous_hash) = 32),
  previous_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  -- Written now and then, not at each use.
  last_used_at timestamptz,
  CHECK ((previous_hash IS NULL) = (previous_until IS NULL))
);

-- What every process keeps in memory.
CREATE INDEX api_keys_live ON api_keys (tenant) WHERE revoked_at IS NULL;

-- Secrets of this installation that every process must share (cursor signatures).
CREATE TABLE secrets (
  name text PRIMARY KEY,
  value bytea NOT NULL
);
