-- What may become of an order, each state with what can follow it.

CREATE TYPE order_state AS ENUM (
    'persisted',  -- written here; becomes fulfilled or cancelled
    'fulfilled',  -- delivered; final
    'cancelled',  -- given back by its buyer; final
    'failed'      -- accepted by Redis, refused by a fence here; a visible conflict; final
);

-- Orders. One row per accepted order, for ever.

CREATE TABLE orders (
    order_id        uuid        PRIMARY KEY,
    product_id      text        NOT NULL CHECK (char_length(product_id) BETWEEN 1 AND 128),
    epoch           bigint      NOT NULL,
    user_id         text        NOT NULL CHECK (char_length(user_id) BETWEEN 1 AND 128),
    quantity        bigint      NOT NULL CHECK (quantity BETWEEN 1 AND 1000000000),
    idempotency_key text        NOT NULL CHECK (char_length(idempotency_key) BETWEEN 1 AND 255),
    state           order_state NOT NULL DEFAULT 'persisted',
    -- Why a failed order failed; null for every other.
    reason          text        CHECK (char_length(reason) <= 200),
    accepted_at     timestamptz NOT NULL,
    persisted_at    timestamptz NOT NULL DEFAULT now(),
    -- Place in the outbox (milliseconds and sequence of the entry), so that the books can be compared as of one entry.
    place_ms        bigint      NOT NULL,
    place_seq       bigint      NOT NULL,
    cancelled_at        timestamptz,
    cancelled_place_ms  bigint,
    cancelled_place_seq bigint,
    CONSTRAINT failed_has_reason CHECK ((state = 'failed') = (reason IS NOT NULL)),
    CONSTRAINT cancelled_has_time CHECK ((state = 'cancelled') = (cancelled_at IS NOT NULL))
);

-- The fence that never forgets: one order per buyer and idempotency key, long after Redis has forgotten the key.
CREATE UNIQUE INDEX orders_one_per_key ON orders (user_id, idempotency_key) WHERE state <> 'failed';
