-- Commands that have been handled, with their replies: one that is delivered again gets the reply that it had, and
-- changes nothing twice. Rows may go when no delivery can come any more.

CREATE TABLE handled_commands (
    command_id uuid        PRIMARY KEY,
    -- A BusReply as JSON, sealed where it holds a secret; null while the command is being handled.
    reply      bytea,
    -- Patterns of the caches that the command made stale.
    stale      text[]      NOT NULL DEFAULT '{}',
    handled_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX handled_commands_by_age ON handled_commands (handled_at);

-- Outbox: commands that wait in Postgres for their time, written in the transaction that wants them. They leave for the
-- stream of their worker when they are due, and are deleted once they are there.

CREATE TABLE outbox (
    -- The id of the command that it becomes, so that one that leaves twice is handled once.
    command_id uuid        PRIMARY KEY,
    worker     text        NOT NULL CHECK (char_length(worker) BETWEEN 1 AND 32),
    -- A BusCommand as JSON.
    command    bytea       NOT NULL CHECK (octet_length(command) <= 65536),
    due_at     timestamptz NOT NULL DEFAULT now()
);

-- By worker first: what waits for one of them is in no other's way.
CREATE INDEX outbox_by_due ON outbox (worker, due_at, command_id);

-- Schedules: when each is due next, and who is at work on it until when.

CREATE TABLE schedules (
    name        text        PRIMARY KEY CHECK (char_length(name) BETWEEN 1 AND 64),
    due_at      timestamptz NOT NULL,
    holder      text        CHECK (char_length(holder) BETWEEN 1 AND 128),
    lease_until timestamptz,
    CONSTRAINT held_until CHECK ((holder IS NULL) = (lease_until IS NULL))
);
