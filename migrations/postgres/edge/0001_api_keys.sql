-- API keys. Only the SHA-256 of a key is kept; a key has at least 128 random bits, so a plain hash is enough.
CREATE TABLE api_keys (
  id text PRIMARY KEY,
  name text NOT NULL,
  tenant text NOT NULL,
  scopes text[] NOT NULL,
  -- The operator manages the keys of all tenants.
  operator boolean NOT NULL DEFAULT false,
  hash bytea NOT NULL UNIQUE,
  -- The key before the last rotation, valid until the grace period ends.
  previous_hash bytea UNIQUE,
  previous_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz
);

-- Secrets of this installation that every process must share (cursor signatures).
CREATE TABLE secrets (
  name text PRIMARY KEY,
  value bytea NOT NULL
);
