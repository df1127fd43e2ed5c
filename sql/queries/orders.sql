-- Queries of the orders worker, in alphabetical order. Arrays that belong together have one element per order.
--
-- The columns of orders that are inserted are texts with a line for each order, which Postgres takes apart: the driver
-- would take four times as long to encode them as arrays. No value of an order can hold a line feed.

-- name: cancel_orders
-- Marks persisted orders as cancelled. Orders that are not persisted are left alone and not returned.
-- $1 order ids uuid[], $2 when, microseconds bigint[], $3 place: milliseconds bigint[], $4 place: sequence bigint[]
UPDATE orders AS o
SET state = 'cancelled',
    cancelled_at = 'epoch'::timestamptz + c.at_us * interval '1 microsecond',
    cancelled_place_ms = c.ms,
    cancelled_place_seq = c.seq
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[]) AS c (order_id, at_us, ms, seq)
WHERE o.order_id = c.order_id AND o.state = 'persisted'
RETURNING o.order_id, o.product_id, o.epoch, o.user_id, o.quantity;

-- name: close_sale
-- Writes down the books that Redis had of an epoch when the next one was opened.
-- $1 product text, $2 epoch bigint, $3 units left bigint, $4 units returned bigint
INSERT INTO sale_closings (product_id, epoch, closed_left, closed_returned) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING;

-- name: count_sold
-- Adds units to (or, negative, takes them from) what sales have sold. The CHECK of the table is the fence.
-- $1 products text[], $2 epochs bigint[], $3 units bigint[]
UPDATE sales AS s SET sold = s.sold + n.units
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS n (product_id, epoch, units)
WHERE s.product_id = n.product_id AND s.epoch = n.epoch;

-- name: fail_orders
-- Keeps orders that no unit exists for as visible conflicts.
-- $1 order ids uuid[], $2 reason text
UPDATE orders SET state = 'failed', reason = $2 WHERE order_id = ANY($1::uuid[]);

-- name: find_orders
-- The state of orders, and what their record needs.
-- $1 order ids uuid[]
SELECT order_id, product_id, epoch, user_id, quantity, idempotency_key, state::text AS state, reason,
    (extract(epoch FROM accepted_at) * 1000000)::bigint AS accepted_us
FROM orders WHERE order_id = ANY($1::uuid[]);

-- name: find_originals
-- For orders that failed because their key had ordered before: the order that the key made first.
-- $1 users text[], $2 idempotency keys text[]
SELECT o.order_id, o.product_id, o.epoch, o.user_id, o.quantity, o.idempotency_key, o.state::text AS state,
    (extract(epoch FROM o.accepted_at) * 1000000)::bigint AS accepted_us
FROM unnest($1::text[], $2::text[]) AS k (user_id, idempotency_key)
JOIN orders AS o ON o.user_id = k.user_id AND o.idempotency_key = k.idempotency_key AND o.state <> 'failed';

-- name: hand_over
-- Leaves a command for the worker of the store for each of these orders whose buyer is a user. Columns as texts, too.
-- $1 command ids, $2 users, $3 commands
WITH left_there AS (
    INSERT INTO outbox (command_id, worker, command)
    SELECT n.command_id, 'orders', convert_to(n.command, 'UTF8')
    FROM unnest(string_to_array($1, E'\n')::uuid[], string_to_array($2, E'\n'), string_to_array($3, E'\n'))
        AS n (command_id, user_id, command)
    JOIN users AS u ON u.id = n.user_id
    ON CONFLICT DO NOTHING
    RETURNING command_id
)
SELECT pg_notify('outbox', '') FROM left_there LIMIT 1;

-- name: insert_duplicates
-- Keeps orders whose key has ordered before as visible conflicts. Rows that exist are left alone.
-- $1 order ids, $2 products, $3 epochs, $4 users, $5 quantities, $6 idempotency keys, $7 accepted, microseconds,
-- $8 place: milliseconds, $9 place: sequence, $10 reason
INSERT INTO orders (order_id, product_id, epoch, user_id, quantity, idempotency_key, state, reason,
    accepted_at, place_ms, place_seq)
SELECT n.order_id, n.product_id, n.epoch, n.user_id, n.quantity, n.idempotency_key, 'failed', $10,
    'epoch'::timestamptz + n.accepted_us * interval '1 microsecond', n.ms, n.seq
FROM unnest(string_to_array($1, E'\n')::uuid[], string_to_array($2, E'\n'), string_to_array($3, E'\n')::bigint[],
    string_to_array($4, E'\n'), string_to_array($5, E'\n')::bigint[], string_to_array($6, E'\n'),
    string_to_array($7, E'\n')::bigint[], string_to_array($8, E'\n')::bigint[], string_to_array($9, E'\n')::bigint[])
    AS n (order_id, product_id, epoch, user_id, quantity, idempotency_key, accepted_us, ms, seq)
ON CONFLICT (order_id) DO NOTHING;

-- name: insert_new_orders
-- Writes accepted orders of which none has a row, by id or by buyer and key: otherwise it fails, and writes nothing.
-- Looking for rows before it writes them costs Postgres half as much again, and hardly ever finds one.
-- $1 order ids, $2 products, $3 epochs, $4 users, $5 quantities, $6 idempotency keys, $7 accepted, microseconds,
-- $8 place: milliseconds, $9 place: sequence
INSERT INTO orders (order_id, product_id, epoch, user_id, quantity, idempotency_key, accepted_at, place_ms, place_seq)
SELECT n.order_id, n.product_id, n.epoch, n.user_id, n.quantity, n.idempotency_key,
    'epoch'::timestamptz + n.accepted_us * interval '1 microsecond', n.ms, n.seq
FROM unnest(string_to_array($1, E'\n')::uuid[], string_to_array($2, E'\n'), string_to_array($3, E'\n')::bigint[],
    string_to_array($4, E'\n'), string_to_array($5, E'\n')::bigint[], string_to_array($6, E'\n'),
    string_to_array($7, E'\n')::bigint[], string_to_array($8, E'\n')::bigint[], string_to_array($9, E'\n')::bigint[])
    AS n (order_id, product_id, epoch, user_id, quantity, idempotency_key, accepted_us, ms, seq);

-- name: insert_orders
-- Writes accepted orders. Rows that exist, by id or by buyer and key, are left alone and not returned.
-- $1 order ids, $2 products, $3 epochs, $4 users, $5 quantities, $6 idempotency keys, $7 accepted, microseconds,
-- $8 place: milliseconds, $9 place: sequence
INSERT INTO orders (order_id, product_id, epoch, user_id, quantity, idempotency_key, accepted_at, place_ms, place_seq)
SELECT n.order_id, n.product_id, n.epoch, n.user_id, n.quantity, n.idempotency_key,
    'epoch'::timestamptz + n.accepted_us * interval '1 microsecond', n.ms, n.seq
FROM unnest(string_to_array($1, E'\n')::uuid[], string_to_array($2, E'\n'), string_to_array($3, E'\n')::bigint[],
    string_to_array($4, E'\n'), string_to_array($5, E'\n')::bigint[], string_to_array($6, E'\n'),
    string_to_array($7, E'\n')::bigint[], string_to_array($8, E'\n')::bigint[], string_to_array($9, E'\n')::bigint[])
    AS n (order_id, product_id, epoch, user_id, quantity, idempotency_key, accepted_us, ms, seq)
ON CONFLICT DO NOTHING
RETURNING order_id;

-- name: insert_sale
-- Opens a sale; one that exists is left alone.
-- $1 product text, $2 epoch bigint, $3 total bigint, $4 units per buyer bigint, $5 opened, microseconds bigint
INSERT INTO sales (product_id, epoch, total, max_per_user, opened_at)
VALUES ($1, $2, $3, $4, 'epoch'::timestamptz + $5 * interval '1 microsecond')
ON CONFLICT DO NOTHING;

-- name: lock_sales
-- The sales of a batch, locked in one order, so that two workers never wait for each other. Which of them sell a game
-- of the store is asked here, because a statement of its own would cost every batch a round trip.
-- $1 products text[], $2 epochs bigint[]
SELECT s.product_id, s.epoch, s.total, s.sold, EXISTS (SELECT FROM games AS g WHERE g.id = s.product_id) AS is_game
FROM sales AS s
JOIN unnest($1::text[], $2::bigint[]) AS n (product_id, epoch) ON s.product_id = n.product_id AND s.epoch = n.epoch
ORDER BY s.product_id, s.epoch FOR UPDATE OF s;

-- name: withdraw_orders
-- Takes rows back that this transaction has inserted: their orders cannot be decided yet.
-- $1 order ids uuid[]
DELETE FROM orders WHERE order_id = ANY($1::uuid[]);
