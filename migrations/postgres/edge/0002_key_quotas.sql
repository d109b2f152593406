-- What the key may use: {"requestsPerSecond": 100, "bytesPerSecond": 1000000}, either of them absent; null: the settings say.
ALTER TABLE api_keys ADD COLUMN quota jsonb CHECK (jsonb_typeof(quota) = 'object');
