-- Queries of the lists of claims, inventory and orders, in alphabetical order. A page begins behind the row that its
-- cursor names, so that rows which come or go move none from page to page. A parameter that is null asks for nothing.

-- name: count_claims
-- How many claims of a user there are of this filter.
-- $1 user text, $2 type text, $3 status text, $4 order text, $5 posted at or after timestamptz, $6 posted before
-- timestamptz
SELECT count(*) FROM amazon_claims
WHERE user_id = $1 AND ($2::text IS NULL OR type = $2) AND ($3::text IS NULL OR status = $3)
    AND ($4::text IS NULL OR order_id = $4)
    AND ($5::timestamptz IS NULL OR coalesce(created_at, '-infinity') >= $5)
    AND ($6::timestamptz IS NULL OR (created_at IS NOT NULL AND coalesce(created_at, '-infinity') < $6));

-- name: count_inventory
-- How many SKUs of a user there are of this filter. Of what Amazon tells no number, nobody knows whether it is there.
-- $1 user text, $2 SKU text, $3 ASIN text, $4 whether there is any of it boolean
SELECT count(*) FROM amazon_inventory
WHERE user_id = $1 AND ($2::text IS NULL OR sku = $2) AND ($3::text IS NULL OR asin = $3)
    AND ($4::boolean IS NULL OR (quantity_available > 0) = $4);

-- name: count_orders
-- How many orders of a user there are of this filter.
-- $1 user text, $2 status text, $3 channel text, $4 bought at or after timestamptz, $5 bought before timestamptz
SELECT count(*) FROM amazon_orders
WHERE user_id = $1 AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR fulfillment_channel = $3)
    AND ($4::timestamptz IS NULL OR coalesce(purchased_at, '-infinity') >= $4)
    AND ($5::timestamptz IS NULL OR (purchased_at IS NOT NULL AND coalesce(purchased_at, '-infinity') < $5));

-- name: list_claims
-- A page of the claims of a user, the newest first; those without a time stand at the end.
-- $1 user text, $2 type text, $3 status text, $4 order text, $5 posted at or after timestamptz, $6 posted before
-- timestamptz, $7 time of the row before timestamptz, $8 claim before text; null: from the first, $9 rows bigint
SELECT claim_id, order_id, amount, currency, status, type, description, created_at, synced_at, is_mock
FROM amazon_claims
WHERE user_id = $1 AND ($2::text IS NULL OR type = $2) AND ($3::text IS NULL OR status = $3)
    AND ($4::text IS NULL OR order_id = $4)
    AND ($5::timestamptz IS NULL OR coalesce(created_at, '-infinity') >= $5)
    AND ($6::timestamptz IS NULL OR (created_at IS NOT NULL AND coalesce(created_at, '-infinity') < $6))
    AND ($8::text IS NULL
        OR (coalesce(created_at, '-infinity'), claim_id) < (coalesce($7::timestamptz, '-infinity'), $8))
ORDER BY coalesce(created_at, '-infinity') DESC, claim_id DESC LIMIT $9;

-- name: list_inventory
-- A page of the inventory of a user, by SKU.
-- $1 user text, $2 SKU text, $3 ASIN text, $4 whether there is any of it boolean, $5 SKU before text; null: from the
-- first, $6 rows bigint
SELECT sku, asin, fnsku, product_name, quantity_available, quantity_reserved, quantity_inbound, quantity_total,
    condition, warehouse_location, synced_at, is_mock
FROM amazon_inventory
WHERE user_id = $1 AND ($2::text IS NULL OR sku = $2) AND ($3::text IS NULL OR asin = $3)
    AND ($4::boolean IS NULL OR (quantity_available > 0) = $4) AND ($5::text IS NULL OR sku > $5)
ORDER BY sku LIMIT $6;

-- name: list_orders
-- A page of the orders of a user, the newest first; those without a time stand at the end.
-- $1 user text, $2 status text, $3 channel text, $4 bought at or after timestamptz, $5 bought before timestamptz,
-- $6 time of the row before timestamptz, $7 order before text; null: from the first, $8 rows bigint
SELECT order_id, purchased_at, last_updated_at, status, fulfillment_channel, marketplace_id, total, currency,
    items_shipped, items_unshipped, items, synced_at, is_mock
FROM amazon_orders
WHERE user_id = $1 AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR fulfillment_channel = $3)
    AND ($4::timestamptz IS NULL OR coalesce(purchased_at, '-infinity') >= $4)
    AND ($5::timestamptz IS NULL OR (purchased_at IS NOT NULL AND coalesce(purchased_at, '-infinity') < $5))
    AND ($7::text IS NULL
        OR (coalesce(purchased_at, '-infinity'), order_id) < (coalesce($6::timestamptz, '-infinity'), $7))
ORDER BY coalesce(purchased_at, '-infinity') DESC, order_id DESC LIMIT $8;

-- name: plan_for_these_values
-- Has the queries of this transaction planned for the values they have: what is not asked for is no condition then, and
-- no plan for any value keeps an index from being used.
SET LOCAL plan_cache_mode = force_custom_plan;
