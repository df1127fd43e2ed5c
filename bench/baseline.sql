-- Queries of the baseline's worker.

-- name: create_orders
-- The table that it writes, with the keys that guard ours.
CREATE TABLE IF NOT EXISTS baseline_orders (
    order_id        uuid        PRIMARY KEY,
    idempotency_key text        NOT NULL,
    product_id      text        NOT NULL,
    user_id         text        NOT NULL,
    persisted_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, idempotency_key)
);

-- name: insert_orders
-- $1 order ids uuid[], $2 idempotency keys text[], $3 products text[], $4 users text[]
INSERT INTO baseline_orders (order_id, idempotency_key, product_id, user_id)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
ON CONFLICT DO NOTHING;
