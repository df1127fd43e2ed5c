-- Queries of what is bought at G2A for orders that are paid, in alphabetical order. Whoever ends an order holds the
-- locks of its user and of the order before he looks at its purchases; a step of one purchase is one guarded update.

-- name: add_keys
-- Keeps keys of a purchase. Arrays have one element per key.
-- $1 purchase uuid, $2 sealed keys bytea[]
INSERT INTO g2a_keys (purchase_id, number, sealed)
SELECT $1, n.number, n.sealed FROM unnest($2::bytea[]) WITH ORDINALITY AS n (sealed, number);

-- name: add_purchases
-- Writes down what is to be bought; what stands already is left alone. Arrays have one element per purchase.
-- $1 order uuid, $2 round smallint, $3 ids uuid[], $4 games text[], $5 numbers integer[], $6 products text[],
-- $7 quantities bigint[], $8 prices at most numeric[]
INSERT INTO g2a_purchases (id, order_id, round, game_id, number, product_id, quantity, price_max)
SELECT n.id, $1, $2, n.game_id, n.number, n.product_id, n.quantity, n.price_max
FROM unnest($3::uuid[], $4::text[], $5::integer[], $6::text[], $7::bigint[], $8::numeric[])
    AS n (id, game_id, number, product_id, quantity, price_max)
ON CONFLICT DO NOTHING;

-- name: begin_calling
-- Notes that a purchase is being paid from now on; no row where somebody else does it, or its order has ended.
-- $1 purchase uuid
UPDATE g2a_purchases AS p SET state = 'calling', called_at = clock_timestamp(), changed_at = now()
FROM store_orders AS o
WHERE p.id = $1 AND p.state = 'intended' AND o.id = p.order_id AND o.status = 'PROCESSING'
RETURNING p.called_at;

-- name: begin_collecting
-- Notes that keys are being fetched from now on; no row where somebody else does it, and may still be at it.
-- $1 purchase uuid, $2 seconds after which nobody is at it any more double precision
UPDATE g2a_purchases SET state = 'collecting', called_at = clock_timestamp(), changed_at = now()
WHERE id = $1 AND (state = 'pending'
    OR state = 'collecting' AND called_at < clock_timestamp() - make_interval(secs => $2))
RETURNING called_at;

-- name: begin_order
-- Notes that the purchase of an order's keys begins, or (false) that it has not begun after all.
-- $1 order uuid, $2 whether it begins boolean
UPDATE store_orders SET purchase_began_at = CASE WHEN $2 THEN coalesce(purchase_began_at, clock_timestamp()) END
WHERE id = $1 AND status = 'PROCESSING';

-- name: change_purchase
-- Moves a purchase from one state to the next; no row where it is not there any more, or somebody else is at it.
-- $1 purchase uuid, $2 from text, $3 to text, $4 since when we are at it timestamptz; null: whoever is,
-- $5 order at G2A text; null: as it is, $6 reason text; null: as it is
UPDATE g2a_purchases SET state = $3::text::g2a_purchase_state, upstream_id = coalesce($5, upstream_id),
    reason = coalesce($6, reason), changed_at = now()
WHERE id = $1 AND state = $2::text::g2a_purchase_state AND ($4::timestamptz IS NULL OR called_at = $4)
RETURNING true;

-- name: empty_stock
-- Takes games out of stock.
-- $1 games text[]
UPDATE games SET stock = 0 WHERE id = ANY($1::text[]) AND stock > 0;

-- name: find_by_upstream
-- The purchase that has become this order at G2A, and whose it is.
-- $1 order at G2A text
SELECT p.id, p.order_id, o.user_id FROM g2a_purchases AS p JOIN store_orders AS o ON o.id = p.order_id
WHERE p.upstream_id = $1 AND p.upstream_id <> '';

-- name: find_keys
-- The keys of an order that its buyer may have: of each purchase as many as were wanted, though there be more.
-- $1 order uuid
SELECT p.id AS purchase_id, p.order_id, p.game_id, g.title, k.number, k.sealed, k.created_at
FROM g2a_purchases AS p JOIN g2a_keys AS k ON k.purchase_id = p.id JOIN games AS g ON g.id = p.game_id
WHERE p.order_id = $1 AND k.number <= p.quantity
ORDER BY p.game_id, p.number, k.number;

-- name: find_purchase
-- A purchase by its id, and whose it is.
-- $1 purchase uuid
SELECT p.id, p.order_id, p.state::text AS state, o.user_id
FROM g2a_purchases AS p JOIN store_orders AS o ON o.id = p.order_id WHERE p.id = $1;

-- name: find_purchases
-- The purchases of an order, how many keys each has, and for how many seconds somebody has been at it.
-- $1 order uuid
SELECT p.id, p.order_id, p.game_id, p.number, p.round, p.product_id, p.quantity, p.price_max,
    p.state::text AS state, p.upstream_id, p.reason, p.called_at,
    extract(epoch FROM clock_timestamp() - p.called_at)::double precision AS called_s,
    extract(epoch FROM clock_timestamp() - p.reserved_at)::double precision AS reserved_s,
    (SELECT count(*) FROM g2a_keys AS k WHERE k.purchase_id = p.id) AS keys
FROM g2a_purchases AS p WHERE p.order_id = $1 ORDER BY p.game_id, p.number;

-- name: find_wanted
-- The items of an order, with the product of each game at G2A; null where it has none.
-- $1 order uuid
SELECT i.game_id, i.quantity, i.price, g.g2a_product_id AS product_id
FROM store_order_items AS i JOIN games AS g ON g.id = i.game_id WHERE i.order_id = $1 ORDER BY i.game_id;

-- name: fulfil_flash_order
-- Marks the order of a flash sale as delivered; no row where it does not stand any more.
-- $1 order uuid
UPDATE orders SET state = 'fulfilled' WHERE order_id = $1 AND state IN ('persisted', 'fulfilled') RETURNING true;

-- name: keep_reservation
-- Writes down the order at G2A that keeps units for a purchase; empty: none does any more. No row where somebody was
-- faster.
-- $1 purchase uuid, $2 order at G2A before text, $3 order at G2A text
UPDATE g2a_purchases
SET upstream_id = $3, reserved_at = CASE WHEN $3 <> '' THEN clock_timestamp() END, changed_at = now()
WHERE id = $1 AND state = 'intended' AND upstream_id = $2
RETURNING true;
