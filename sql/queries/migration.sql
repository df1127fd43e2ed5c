-- Queries of carts, wishlists and their migration, in alphabetical order. An owner is a kind, user or session, and an
-- id. Whoever changes what owners have locks first the session, then the user, then the games by their ids: so nothing
-- comes or goes meanwhile, and nobody waits in a circle, with store orders neither.

-- name: clear_cart
-- Empties a cart.
-- $1 kind of owner text, $2 owner text
DELETE FROM carts WHERE owner_kind = $1 AND owner_id = $2;

-- name: clear_wishlist
-- Empties a wishlist.
-- $1 kind of owner text, $2 owner text
DELETE FROM wishlists WHERE owner_kind = $1 AND owner_id = $2;

-- name: count_wishes
-- How many games a wishlist has beside this one.
-- $1 kind of owner text, $2 owner text, $3 game text
SELECT count(*) FROM wishlists WHERE owner_kind = $1 AND owner_id = $2 AND game_id <> $3;

-- name: drop_from_cart
-- Takes a game out of a cart.
-- $1 kind of owner text, $2 owner text, $3 game text
DELETE FROM carts WHERE owner_kind = $1 AND owner_id = $2 AND game_id = $3;

-- name: drop_from_wishlist
-- Takes a game out of a wishlist.
-- $1 kind of owner text, $2 owner text, $3 game text
DELETE FROM wishlists WHERE owner_kind = $1 AND owner_id = $2 AND game_id = $3;

-- name: find_games
-- What there is to be had of games.
-- $1 games text[]
SELECT id, title, stock, active FROM games WHERE id = ANY($1);

-- name: find_offer
-- What there is to be had of a game; no row for one that is not for sale.
-- $1 game text
SELECT title, stock FROM games WHERE id = $1 AND active;

-- name: forget_guests
-- Deletes what guests have left unchanged for so long, the oldest rows first; gives how many it were.
-- $1 age in seconds double precision, $2 rows of each table at most bigint
WITH old_lines AS (
    SELECT owner_kind, owner_id, game_id FROM carts
    WHERE owner_kind = 'session' AND changed_at < now() - make_interval(secs => $1)
    ORDER BY changed_at LIMIT $2 FOR UPDATE SKIP LOCKED
), old_wishes AS (
    SELECT owner_kind, owner_id, game_id FROM wishlists
    WHERE owner_kind = 'session' AND added_at < now() - make_interval(secs => $1)
    ORDER BY added_at LIMIT $2 FOR UPDATE SKIP LOCKED
), lines AS (
    DELETE FROM carts AS c USING old_lines AS o
    WHERE (c.owner_kind, c.owner_id, c.game_id) = (o.owner_kind, o.owner_id, o.game_id) RETURNING 1
), wishes AS (
    DELETE FROM wishlists AS w USING old_wishes AS o
    WHERE (w.owner_kind, w.owner_id, w.game_id) = (o.owner_kind, o.owner_id, o.game_id) RETURNING 1
)
SELECT (SELECT count(*) FROM lines) + (SELECT count(*) FROM wishes);

-- name: list_cart
-- The lines of a cart, the oldest first.
-- $1 kind of owner text, $2 owner text
SELECT game_id, quantity FROM carts WHERE owner_kind = $1 AND owner_id = $2 ORDER BY added_at, game_id;

-- name: list_wishlist
-- The games of a wishlist, the oldest wish first.
-- $1 kind of owner text, $2 owner text
SELECT game_id FROM wishlists WHERE owner_kind = $1 AND owner_id = $2 ORDER BY added_at, game_id;

-- name: lock_games
-- What there is to be had of games, which stays so until the transaction ends.
-- $1 games text[]
SELECT id, title, stock, active FROM games WHERE id = ANY($1) ORDER BY id FOR SHARE;

-- name: lock_session
-- Waits until nobody else changes what a guest has, and keeps others waiting until the transaction ends.
-- $1 session text
SELECT pg_advisory_xact_lock(hashtextextended('guest session ' || $1::text, 0));

-- name: lock_user
-- Waits until nobody else changes what a user has, and keeps others waiting until the transaction ends. Orders lock him
-- too. No row for somebody who does not exist.
-- $1 user text
SELECT true FROM users WHERE id = $1 FOR NO KEY UPDATE;

-- name: put_in_cart
-- Sets the quantities of games in a cart.
-- $1 kind of owner text, $2 owner text, $3 games text[], $4 quantities bigint[]
INSERT INTO carts (owner_kind, owner_id, game_id, quantity)
SELECT $1, $2, line.game_id, line.quantity FROM unnest($3::text[], $4::bigint[]) AS line (game_id, quantity)
ON CONFLICT (owner_kind, owner_id, game_id) DO UPDATE SET quantity = excluded.quantity, changed_at = now();

-- name: put_in_wishlist
-- Adds games to a wishlist; those that it has stay as they are.
-- $1 kind of owner text, $2 owner text, $3 games text[]
INSERT INTO wishlists (owner_kind, owner_id, game_id) SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING;

-- name: show_cart
-- A cart with the titles, prices and stock of now; null where a game has vanished.
-- $1 kind of owner text, $2 owner text
SELECT c.game_id, c.quantity, g.title, g.platform, g.image, g.price, g.stock, coalesce(g.active, false) AS active
FROM carts AS c LEFT JOIN games AS g ON g.id = c.game_id
WHERE c.owner_kind = $1 AND c.owner_id = $2 ORDER BY c.added_at, c.game_id;

-- name: show_wishlist
-- A wishlist with the titles, prices and stock of now; null where a game has vanished.
-- $1 kind of owner text, $2 owner text
SELECT w.game_id, w.added_at, g.title, g.platform, g.image, g.price, g.old_price, g.stock,
    coalesce(g.active, false) AS active
FROM wishlists AS w LEFT JOIN games AS g ON g.id = w.game_id
WHERE w.owner_kind = $1 AND w.owner_id = $2 ORDER BY w.added_at, w.game_id;
