-- What requests to participants are signed with, of tenants that have changed it; all others have the secret that follows from the
-- installation's (src/platform.ts).
CREATE TABLE signing_secrets (
  tenant text PRIMARY KEY,
  secret bytea NOT NULL,
  -- The one before: requests are signed with both until then.
  previous bytea NOT NULL,
  previous_until timestamptz NOT NULL
);
