-- What operators do about refused events, traces of emitted events, and keys of events that outlive their sagas.

-- W3C Trace Context of the turn that emitted the event, when that is recorded.
ALTER TABLE outbox ADD COLUMN traceparent text;

-- What was done about it: `sent` after all, or `discarded`; when, by which API key, and why. NULL: nothing yet.
ALTER TABLE outbox_refused ADD COLUMN settled text;
ALTER TABLE outbox_refused ADD COLUMN settled_at timestamptz;
ALTER TABLE outbox_refused ADD COLUMN settled_by text;
ALTER TABLE outbox_refused ADD COLUMN note text;
CREATE INDEX outbox_refused_by_tenant ON outbox_refused (tenant, id);

-- Of an event, and not of a request: such a key is kept for longer than the saga, as events are sent again after years.
ALTER TABLE starts ADD COLUMN event boolean NOT NULL DEFAULT false;
