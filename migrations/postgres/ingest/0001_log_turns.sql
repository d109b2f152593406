-- An installation that moves from one event log to another uses both for a while. A consumer group takes what is in them one log
-- after the other, in the order of their turns.
CREATE SEQUENCE turn_numbers;

CREATE TABLE log_turns (
  -- local or kafka
  log text NOT NULL,
  -- The consumer group.
  consumer text NOT NULL,
  turn bigint NOT NULL DEFAULT nextval('turn_numbers'),
  -- open: in use, or left with something in it. empty: left with nothing in it. over: the next log has begun.
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'empty', 'over')),
  PRIMARY KEY (log, consumer)
);

-- Processes that append to a log or consume it. One that dies leaves its row: what it was given may not be in the log yet.
CREATE TABLE log_users (
  log text NOT NULL,
  -- Machine, folder, modules and port.
  name text NOT NULL,
  writes boolean NOT NULL,
  consumers text[] NOT NULL DEFAULT '{}',
  seen_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (log, name)
);
