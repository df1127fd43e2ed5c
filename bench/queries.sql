-- Queries of the proof.

-- name: units_sold
-- The units that Postgres has as sold of some products.
-- $1 products text[]
SELECT coalesce(sum(sold), 0)::bigint FROM sales WHERE product_id = ANY($1::text[]);

-- name: stored_orders
-- Every order of some products with its state.
-- $1 products text[]
SELECT order_id::text AS order_id, state::text AS state FROM orders WHERE product_id = ANY($1::text[]);

-- name: own_backend
-- The process of Postgres that serves this connection, so that the bench's own questions are not counted as load.
SELECT pg_backend_pid();
