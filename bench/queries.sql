-- Queries of the proofs.

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

-- name: amazon_claims
-- What a user has of Amazon's claims, as the books of the sandbox have it.
-- $1 user text
SELECT type, order_id, amount, currency, created_at FROM amazon_claims WHERE user_id = $1;

-- name: amazon_inventory
-- What a user has of Amazon's inventory.
-- $1 user text
SELECT sku, asin, fnsku, product_name, quantity_available, quantity_reserved, quantity_inbound, quantity_total,
    condition
FROM amazon_inventory WHERE user_id = $1;

-- name: amazon_items
-- The items of a user's orders, of those that have been asked for them.
-- $1 user text
SELECT order_id, items FROM amazon_orders WHERE user_id = $1 AND items IS NOT NULL;

-- name: amazon_orders
-- What a user has of Amazon's orders.
-- $1 user text
SELECT order_id, purchased_at, last_updated_at, status, fulfillment_channel, total, currency, items_shipped,
    items_unshipped
FROM amazon_orders WHERE user_id = $1;

-- name: amazon_sizes
-- The bytes of the tables of the syncs with Amazon, with their indexes.
SELECT relname::text AS table_name, pg_total_relation_size(oid) AS bytes FROM pg_class
WHERE relname IN ('amazon_claims', 'amazon_inventory', 'amazon_orders') AND relkind = 'r';

-- name: end_goated_race
-- Makes the race that is open that of the month before, which has just ended.
UPDATE goated_races SET starts_at = now() - interval '30 days', ends_at = now() - interval '1 minute',
    id = to_char(date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 day', 'YYYYMM')
WHERE status <> 'completed';

-- name: goated_fetched
-- The leaderboard of Goated, once it was fetched.
SELECT version FROM goated_board WHERE fetched_at IS NOT NULL;

-- name: goated_sums
-- The people of the leaderboard, and what they have wagered together.
SELECT count(*) AS people, coalesce(sum(today), 0) AS today, coalesce(sum(this_week), 0) AS this_week,
    coalesce(sum(this_month), 0) AS this_month, coalesce(sum(all_time), 0) AS all_time
FROM goated_wagers;
