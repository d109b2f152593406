-- A loss is open while its repair runs. An interrupted repair finds its note again and does not write a second one.
ALTER TABLE losses ADD COLUMN settled_at timestamptz;
