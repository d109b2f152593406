-- Every process reads the keys that work every two seconds; those that expired are not among them, however many there are.
DROP INDEX api_keys_live;
CREATE INDEX api_keys_live ON api_keys (coalesce(expires_at, 'infinity')) WHERE revoked_at IS NULL;
-- Keys that ended are listed for a while, then deleted.
CREATE INDEX api_keys_ended ON api_keys (least(revoked_at, expires_at));
