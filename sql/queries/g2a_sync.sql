-- Queries of the catalogue of G2A, in alphabetical order. What belongs together comes as arrays with one element per
-- product, sorted by the id of the game: whoever locks games locks them in that order.

-- name: abandon_syncs
-- Ends a run that nobody has touched for so long that whoever was at it is gone.
-- $1 seconds double precision, $2 status integer, $3 code text, $4 message text
UPDATE g2a_syncs SET ended_at = now(), status = $2, code = $3, message = $4
WHERE ended_at IS NULL AND touched_at < now() - make_interval(secs => $1);

-- name: advance_sync
-- Notes what a step has done, and whether it was the last one.
-- $1 run uuid, $2 pages done bigint, $3 pages bigint, $4 behind which missing product it goes on text, $5 missing
-- products asked for bigint, $6 synced bigint, $7 added bigint, $8 updated bigint, $9 removed bigint, $10 categories
-- created bigint, $11 genres created bigint, $12 platforms created bigint, $13 errors to keep text, an array of JSON,
-- $14 errors in all bigint, $15 whether it ends boolean
UPDATE g2a_syncs SET steps = steps + 1, faults = 0, touched_at = now(), pages_done = $2, pages = $3,
    missing_after = $4, missing_asked = missing_asked + $5, synced = synced + $6, added = added + $7,
    updated = updated + $8, removed = removed + $9, categories_created = categories_created + $10,
    genres_created = genres_created + $11, platforms_created = platforms_created + $12,
    errors = errors || $13::text::jsonb, error_count = error_count + $14,
    ended_at = CASE WHEN $15::boolean THEN now() END
WHERE id = $1 RETURNING *, clock_timestamp() AS now;

-- name: begin_sync
-- Begins a run; no row while another one is at work. An incremental one asks for what has changed since the last run
-- that saw the whole catalogue began.
-- $1 run uuid, $2 kind text, $3 options text, an object of JSON, $4 seconds that clocks may differ double precision
INSERT INTO g2a_syncs (id, kind, options, since)
SELECT $1, $2::text, $3::text::jsonb, CASE WHEN $2::text = 'incremental' THEN (
    SELECT max(began_at) - make_interval(secs => $4) FROM g2a_syncs
    WHERE ended_at IS NOT NULL AND code IS NULL AND kind <> 'chosen' AND coalesce(options ->> 'categories', '') = ''
) END
ON CONFLICT DO NOTHING RETURNING *, clock_timestamp() AS now;

-- name: claim_step
-- Locks a run until the transaction ends; no row where another process has done this step, or the run has ended.
-- $1 run uuid, $2 steps that were seen bigint
SELECT true FROM g2a_syncs WHERE id = $1 AND steps = $2 AND ended_at IS NULL FOR UPDATE;

-- name: count_unbought
-- Units of games that somebody has paid, and that the stock at G2A may still have counted when it was asked: those of
-- orders that are being worked on, and of orders that were completed since.
-- $1 games text[], $2 when G2A was asked timestamptz
SELECT i.game_id, sum(i.quantity)::bigint AS units
FROM (
    SELECT id FROM store_orders WHERE status IN ('PENDING', 'PROCESSING')
    UNION ALL
    SELECT id FROM store_orders WHERE status = 'COMPLETED' AND updated_at >= $2
) AS o
JOIN store_order_items AS i ON i.order_id = o.id
WHERE i.game_id = ANY($1::text[]) GROUP BY i.game_id;

-- name: end_sync
-- Ends a run that has failed.
-- $1 run uuid, $2 status integer, $3 code text, $4 message text
UPDATE g2a_syncs SET ended_at = now(), touched_at = now(), status = $2, code = $3, message = $4
WHERE id = $1 AND ended_at IS NULL;

-- name: find_missing
-- Products that a run has not met and that are not known to be gone, a page of them by their ids.
-- $1 when the run began timestamptz, $2 the id before the first text, $3 rows at most bigint
SELECT product_id FROM g2a_products WHERE removed_at IS NULL AND product_id > $2 AND last_sync < $1
ORDER BY product_id LIMIT $3;

-- name: find_products
-- What is known of products.
-- $1 products text[]
SELECT product_id, fingerprint, removed_at IS NOT NULL AS is_removed, took_off
FROM g2a_products WHERE product_id = ANY($1::text[]);

-- name: find_sync
-- One run.
-- $1 run uuid
SELECT *, clock_timestamp() AS now FROM g2a_syncs WHERE id = $1;

-- name: forget_syncs
-- Deletes runs that ended long ago.
-- $1 age in seconds double precision
DELETE FROM g2a_syncs WHERE ended_at < now() - make_interval(secs => $1);

-- name: last_sync
-- The run that ended last, and the one that is at work, if there are such.
(SELECT *, clock_timestamp() AS now FROM g2a_syncs WHERE ended_at IS NULL)
UNION ALL
(SELECT *, clock_timestamp() AS now FROM g2a_syncs WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT 1);

-- name: lock_games
-- The games that sell these products, and those that have the ids of new ones, locked until the transaction ends.
-- $1 products text[], $2 games text[]
SELECT id, g2a_product_id FROM games WHERE g2a_product_id = ANY($1::text[]) OR id = ANY($2::text[])
ORDER BY id FOR NO KEY UPDATE;

-- name: meet_products
-- Notes that a sync has met products, and what G2A has of them; null where it did not say it.
-- $1 products text[], $2 quantities bigint[]
UPDATE g2a_products AS p SET last_sync = now(), quantity = coalesce(n.quantity, p.quantity)
FROM unnest($1::text[], $2::bigint[]) AS n (product_id, quantity) WHERE p.product_id = n.product_id;

-- name: note_fault
-- Notes a passing fault of G2A; gives how many there were since the last step.
-- $1 run uuid
UPDATE g2a_syncs SET faults = faults + 1, touched_at = now() WHERE id = $1 AND ended_at IS NULL RETURNING faults;

-- name: plan_for_these_values
-- Has the queries of this transaction planned for the tables as they are: a first sync fills them, and a plan from when
-- they were empty would read all of them for every page.
SET LOCAL plan_cache_mode = force_custom_plan;

-- name: put_back
-- Puts games back on sale whose products have come back.
-- $1 products text[]
UPDATE games SET active = true, updated_at = now() WHERE g2a_product_id = ANY($1::text[]) AND NOT active;

-- name: put_games
-- Writes games, new or anew; gives those that were not so before. What was sold, what it cost before, and whether it is
-- on sale stays.
-- $1 games text[], $2 titles text[], $3 descriptions text[], $4 genres text[], $5 platforms text[], $6 images text[],
-- $7 prices numeric[], $8 stocks bigint[], $9 released dates date[], $10 products text[]
INSERT INTO games AS g (id, title, description, genre, platform, image, price, stock, released_on, g2a_product_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::numeric[],
    $8::bigint[], $9::date[], $10::text[])
ON CONFLICT (id) DO UPDATE SET (title, description, genre, platform, image, price, stock, released_on, g2a_product_id,
    updated_at) = (excluded.title, excluded.description, excluded.genre, excluded.platform, excluded.image,
    excluded.price, excluded.stock, excluded.released_on, excluded.g2a_product_id, now())
WHERE (g.title, g.description, g.genre, g.platform, g.image, g.price, g.stock, g.released_on, g.g2a_product_id)
    IS DISTINCT FROM (excluded.title, excluded.description, excluded.genre, excluded.platform, excluded.image,
    excluded.price, excluded.stock, excluded.released_on, excluded.g2a_product_id)
RETURNING g.id;

-- name: put_labels
-- Writes the labels that there are not yet; gives the kind of each.
-- $1 kinds text[], $2 names text[]
INSERT INTO labels (kind, name)
SELECT DISTINCT n.kind, n.name FROM unnest($1::text[], $2::text[]) AS n (kind, name)
WHERE NOT EXISTS (SELECT FROM labels AS l WHERE (l.kind, l.name) = (n.kind, n.name)) ORDER BY 1, 2
ON CONFLICT DO NOTHING RETURNING kind;

-- name: put_products
-- Writes products, new or anew; they are there, whatever was known of them.
-- $1 products text[], $2 prices numeric[], $3 currencies text[], $4 quantities bigint[], $5 fingerprints bytea[],
-- $6 details text[], objects of JSON
INSERT INTO g2a_products (product_id, price, currency, quantity, fingerprint, details)
SELECT n.product_id, n.price, n.currency, n.quantity, n.fingerprint, n.details::jsonb
FROM unnest($1::text[], $2::numeric[], $3::text[], $4::bigint[], $5::bytea[], $6::text[])
    AS n (product_id, price, currency, quantity, fingerprint, details)
ON CONFLICT (product_id) DO UPDATE SET (price, currency, quantity, fingerprint, details, removed_at, took_off,
    last_sync) = (excluded.price, excluded.currency, excluded.quantity, excluded.fingerprint, excluded.details, NULL,
    false, now());

-- name: read_figures
-- How many products G2A has, how many of their games are in stock, and when a sync last ended well.
SELECT count(*) AS products, count(*) FILTER (WHERE g.stock > 0) AS in_stock,
    (SELECT max(ended_at) FROM g2a_syncs WHERE code IS NULL) AS last_sync
FROM g2a_products AS p LEFT JOIN games AS g ON g.g2a_product_id = p.product_id WHERE p.removed_at IS NULL;

-- name: remove_products
-- Notes that products are gone, and takes their games off sale; gives those that were there until now.
-- $1 products text[]
WITH sold AS (
    SELECT id, g2a_product_id, active FROM games WHERE g2a_product_id = ANY($1::text[]) ORDER BY id FOR NO KEY UPDATE
), withdrawn AS (
    UPDATE games AS g SET active = false, stock = 0, updated_at = now() FROM sold
    WHERE g.id = sold.id AND (g.active OR g.stock > 0)
)
UPDATE g2a_products AS p SET removed_at = now(), quantity = 0,
    took_off = coalesce((SELECT sold.active FROM sold WHERE sold.g2a_product_id = p.product_id), false)
WHERE p.product_id = ANY($1::text[]) AND p.removed_at IS NULL RETURNING p.product_id;

-- name: set_labels
-- Gives games exactly these labels; gives those games whose labels were others.
-- $1 games text[], $2 games of the labels text[], $3 kinds text[], $4 names text[]
WITH wanted AS (
    SELECT DISTINCT n.game_id, l.id AS label_id
    FROM unnest($2::text[], $3::text[], $4::text[]) AS n (game_id, kind, name)
    JOIN labels AS l ON (l.kind, l.name) = (n.kind, n.name)
), gone AS (
    DELETE FROM game_labels AS o WHERE o.game_id = ANY($1::text[])
        AND NOT EXISTS (SELECT FROM wanted AS w WHERE (w.game_id, w.label_id) = (o.game_id, o.label_id))
    RETURNING o.game_id
), new AS (
    INSERT INTO game_labels (game_id, label_id) SELECT game_id, label_id FROM wanted ORDER BY 1, 2
    ON CONFLICT DO NOTHING RETURNING game_id
)
SELECT game_id FROM gone UNION SELECT game_id FROM new;

-- name: set_stock
-- Sets what can be had of games; gives those of which it was another number.
-- $1 games text[], $2 stocks bigint[]
UPDATE games AS g SET stock = n.stock, updated_at = now()
FROM unnest($1::text[], $2::bigint[]) AS n (game_id, stock)
WHERE g.id = n.game_id AND g.stock <> n.stock RETURNING g.id;
