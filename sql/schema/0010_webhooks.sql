-- Where an event that another party has told stands.

CREATE TYPE webhook_state AS ENUM (
    'parked',     -- its order is not known yet; tried again
    'processed',  -- done
    'ignored',    -- of a kind that changes nothing here
    'given_up'    -- its order has not become known
);

-- Webhook events. One row per event of a sender: whichever copy of it writes the row does it, in the same transaction.

CREATE TABLE webhook_events (
    source      text          NOT NULL CHECK (source IN ('g2a')),
    event_id    text          NOT NULL CHECK (char_length(event_id) BETWEEN 1 AND 128),
    order_id    text          NOT NULL CHECK (char_length(order_id) BETWEEN 1 AND 128),
    type        text          NOT NULL CHECK (char_length(type) BETWEEN 1 AND 128),
    -- The bytes that were signed. They are JSON, but not all of that is jsonb: it has no \u0000 and no 1e999999.
    payload     bytea         NOT NULL CHECK (octet_length(payload) <= 16384),
    state       webhook_state NOT NULL DEFAULT 'parked',
    -- How often it was tried, and why it is where it is, in a sentence; empty where it is done.
    attempts    integer       NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    reason      text          NOT NULL DEFAULT '' CHECK (char_length(reason) <= 200),
    received_at timestamptz   NOT NULL DEFAULT now(),
    settled_at  timestamptz,
    PRIMARY KEY (source, event_id),
    CONSTRAINT settled_unless_parked CHECK ((state = 'parked') = (settled_at IS NULL))
);

CREATE INDEX webhook_events_by_age ON webhook_events (settled_at);
