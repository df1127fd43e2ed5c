-- Queries of store orders, in alphabetical order. Whoever locks rows locks them in one order, so that nobody waits in a
-- circle: the user, then his orders, his cart, the promo code, and the games by their ids.

-- name: add_items
-- Writes the items of an order. Arrays have one element per game.
-- $1 order uuid, $2 games text[], $3 quantities bigint[], $4 prices numeric[]
INSERT INTO store_order_items (order_id, game_id, quantity, price)
SELECT $1, n.game_id, n.quantity, n.price
FROM unnest($2::text[], $3::bigint[], $4::numeric[]) AS n (game_id, quantity, price);

-- name: count_orders
-- How many orders a user has.
-- $1 user text
SELECT count(*) FROM store_orders WHERE user_id = $1;

-- name: count_promo_use
-- Counts an order that is made with a promo code, or one (negative) that does not stand any more.
-- $1 code text, $2 orders bigint
UPDATE promo_codes SET used = used + $2 WHERE code = $1;

-- name: empty_cart
-- Takes games out of the cart of a user.
-- $1 user text, $2 games text[]
DELETE FROM carts WHERE owner_kind = 'user' AND owner_id = $1 AND game_id = ANY($2::text[]);

-- name: find_flash_order
-- An order of a flash sale as it stands, with the price of its game; none where the product is no game.
-- $1 order uuid
SELECT o.user_id, o.product_id, o.quantity, o.state::text AS state, g.price
FROM orders AS o JOIN games AS g ON g.id = o.product_id WHERE o.order_id = $1;

-- name: find_items
-- The items of orders, each order's together.
-- $1 orders uuid[]
SELECT order_id, game_id, quantity, price FROM store_order_items WHERE order_id = ANY($1::uuid[])
ORDER BY order_id, game_id;

-- name: find_order
-- An order of this user.
-- $1 order uuid, $2 user text
SELECT id, user_id, status::text AS status, subtotal, discount, total, promo_code, from_sale, reason,
    purchase_began_at, created_at, updated_at
FROM store_orders WHERE id = $1 AND user_id = $2;

-- name: find_order_by_key
-- The order that a user has made with this key.
-- $1 user text, $2 idempotency key text
SELECT id, user_id, status::text AS status, subtotal, discount, total, promo_code, from_sale, reason,
    purchase_began_at, created_at, updated_at
FROM store_orders WHERE user_id = $1 AND idempotency_key = $2;

-- name: find_orders
-- A page of a user's orders, the newest first.
-- $1 user text, $2 rows bigint, $3 rows before them bigint
SELECT id, user_id, status::text AS status, subtotal, discount, total, promo_code, from_sale, reason,
    purchase_began_at, created_at, updated_at
FROM store_orders WHERE user_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3;

-- name: insert_order
-- Writes an order that is not paid yet.
-- $1 order uuid, $2 user text, $3 subtotal numeric, $4 discount numeric, $5 total numeric, $6 promo code text,
-- $7 idempotency key text; null: it comes from a flash sale
INSERT INTO store_orders (id, user_id, subtotal, discount, total, promo_code, idempotency_key, from_sale)
VALUES ($1, $2, $3, $4, $5, $6, $7::text, $7::text IS NULL);

-- name: lock_games
-- Games, locked in the order of their ids until the transaction ends.
-- $1 games text[]
SELECT id, price, stock, active FROM games WHERE id = ANY($1::text[]) ORDER BY id FOR NO KEY UPDATE;

-- name: lock_order
-- An order of this user, locked until the transaction ends.
-- $1 order uuid, $2 user text
SELECT id, user_id, status::text AS status, subtotal, discount, total, promo_code, from_sale, reason,
    purchase_began_at, created_at, updated_at
FROM store_orders WHERE id = $1 AND user_id = $2 FOR NO KEY UPDATE;

-- name: lock_promo_code
-- A promo code, locked until the transaction ends, with what speaks against its use.
-- $1 code text
SELECT percent, amount, now() < valid_from AS is_early, coalesce(now() >= valid_until, false) AS is_late,
    coalesce(used >= uses_max, false) AS is_used_up
FROM promo_codes WHERE code = $1 FOR NO KEY UPDATE;

-- name: lock_user
-- What a user has, locked until the transaction ends: the orders of one user are made one after the other.
-- $1 user text
SELECT balance FROM users WHERE id = $1 FOR NO KEY UPDATE;

-- name: move_stock
-- Takes units out of the stock of games, or puts them (negative) back. The CHECK of the table is the fence.
-- $1 games text[], $2 units bigint[]
UPDATE games AS g SET stock = g.stock - n.units, sold = g.sold + n.units
FROM unnest($1::text[], $2::bigint[]) AS n (game_id, units)
WHERE g.id = n.game_id
RETURNING g.id, g.stock;

-- name: pay_order
-- Takes the total of an order from the balance of its user, with a row of the ledger. The unique index of the ledger
-- and the CHECK of the balance are the fences.
-- $1 order uuid
WITH entry AS (
    INSERT INTO ledger (user_id, amount, kind, order_id)
    SELECT user_id, -total, 'purchase', id FROM store_orders WHERE id = $1
    RETURNING user_id, amount
)
UPDATE users AS u SET balance = u.balance + entry.amount FROM entry WHERE u.id = entry.user_id;

-- name: put_promo_code
-- Writes a promo code, new or anew. How often it was used stays, and its beginning where none is told.
-- $1 code text, $2 percent numeric, $3 amount numeric, $4 valid from timestamptz, $5 valid until timestamptz,
-- $6 uses at most bigint
INSERT INTO promo_codes AS p (code, percent, amount, valid_from, valid_until, uses_max)
VALUES ($1, $2, $3, coalesce($4, now()), $5, $6)
ON CONFLICT (code) DO UPDATE SET (percent, amount, valid_from, valid_until, uses_max)
    = (excluded.percent, excluded.amount, coalesce($4, p.valid_from), excluded.valid_until, excluded.uses_max)
RETURNING code, percent, amount, valid_from, valid_until, uses_max, used;

-- name: refund_order
-- Gives what was paid for an order back to its user, with a row of the ledger; nothing where nothing was paid.
-- $1 order uuid
WITH entry AS (
    INSERT INTO ledger (user_id, amount, kind, order_id)
    SELECT user_id, -amount, 'refund', order_id FROM ledger WHERE order_id = $1 AND kind = 'purchase'
    RETURNING user_id, amount
)
UPDATE users AS u SET balance = u.balance + entry.amount FROM entry WHERE u.id = entry.user_id;

-- name: refund_part
-- Gives a part of what was paid for an order back to its user, with a row of the ledger.
-- $1 order uuid, $2 amount numeric
WITH entry AS (
    INSERT INTO ledger (user_id, amount, kind, order_id)
    SELECT user_id, least($2, -amount), 'refund', order_id FROM ledger WHERE order_id = $1 AND kind = 'purchase'
    RETURNING user_id, amount
)
UPDATE users AS u SET balance = u.balance + entry.amount FROM entry WHERE u.id = entry.user_id;

-- name: set_status
-- What has become of an order. The trigger of the table is the fence.
-- $1 order uuid, $2 status text, $3 why it failed text
UPDATE store_orders SET status = $2::text::store_order_status, reason = coalesce($3, reason), updated_at = now()
WHERE id = $1
RETURNING id, user_id, status::text AS status, subtotal, discount, total, promo_code, from_sale, reason,
    purchase_began_at, created_at, updated_at;
