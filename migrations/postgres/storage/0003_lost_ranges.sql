-- A range of the log that was deleted there before it was stored. How many events it held nobody knows any more: `missing` is null.
ALTER TABLE losses
  ADD COLUMN first_offset bigint,
  ADD COLUMN last_offset bigint,
  ALTER COLUMN missing DROP NOT NULL,
  ADD CHECK ((missing IS NULL) = (first_offset IS NOT NULL AND last_offset IS NOT NULL));
