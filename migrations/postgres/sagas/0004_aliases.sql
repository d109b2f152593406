-- What participants know a saga by that an event started (domain/alias.ts); NULL for any other, which they know by its id.
ALTER TABLE sagas ADD COLUMN alias uuid;
CREATE INDEX sagas_by_alias ON sagas (tenant, alias) WHERE alias IS NOT NULL;
