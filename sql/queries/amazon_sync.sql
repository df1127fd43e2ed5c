-- Queries of the syncs with Amazon, in alphabetical order. Whatever changes a sync that is running takes its row first,
-- and counts `steps` up: who has seen another number has come too late. Rows of Amazon come as arrays with one element
-- per row, sorted by the key that tells them apart.

-- name: advance_sync
-- Notes where a sync stands after a step; with a status, it ends there.
-- $1 sync uuid, $2 progress integer, $3 message text, $4 step integer, $5 metadata text, an object of JSON, $6 cursor
-- text, an object of JSON, $7 status that it ends with text; null: it goes on
UPDATE sync_progress SET steps = steps + 1, faults = 0, resumed = 0, updated_at = now(), waits_until = NULL,
    progress = greatest(progress, $2), current_step = $3, step = greatest(step, $4), metadata = $5::text::jsonb,
    cursor = $6::text::jsonb, status = coalesce($7::text, status),
    completed_at = CASE WHEN $7::text <> '' THEN now() END
WHERE id = $1 RETURNING *, clock_timestamp() AS now;

-- name: begin_sync
-- Begins a sync of a user; no row where one of his is running, or there is no such user.
-- $1 sync uuid, $2 what it is called text, $3 user text, $4 message text, $5 seconds that lie before what Amazon tells
-- double precision
INSERT INTO sync_progress (id, sync_id, user_id, current_step, step, until)
SELECT $1, $2::text, u.id, $4::text, 1, now() - make_interval(secs => $5) FROM users AS u WHERE u.id = $3
ON CONFLICT DO NOTHING RETURNING *, clock_timestamp() AS now;

-- name: cancel_sync
-- Cancels a sync of a user, or, without a name, the one that is running; no row where there is none to cancel.
-- $1 user text, $2 what it is called text; null: whichever is running, $3 message text
UPDATE sync_progress SET status = 'cancelled', completed_at = now(), updated_at = now(), steps = steps + 1,
    waits_until = NULL, current_step = $3
WHERE user_id = $1 AND status = 'running' AND ($2::text IS NULL OR sync_id = $2)
RETURNING *, clock_timestamp() AS now;

-- name: claim_step
-- Locks a sync until the transaction ends; no row where another process has done this step, or the sync has ended.
-- $1 sync uuid, $2 steps that were seen bigint
SELECT true FROM sync_progress WHERE id = $1 AND steps = $2 AND status = 'running' FOR UPDATE;

-- name: count_alike
-- How many of each kind of claim a pass has seen, of claims that are alike in everything.
-- $1 user text, $2 pass bigint, $3 fingerprints bytea[]
SELECT fingerprint, count(*) AS seen FROM amazon_claims
WHERE user_id = $1 AND seen_pass = $2 AND fingerprint = ANY($3::bytea[]) GROUP BY fingerprint;

-- name: count_syncs
-- How many syncs of a user are known.
-- $1 user text
SELECT count(*) FROM sync_progress WHERE user_id = $1;

-- name: drop_surplus
-- Deletes claims of a window that a whole pass has seen fewer times than an earlier one did: pages had moved while they
-- were read, and one claim was met twice; and those that another version of Amazon's API told of, which this one knows
-- by other ids. Claims of its own that it has not seen at all stay.
-- $1 user text, $2 pass bigint, $3 after timestamptz, $4 before timestamptz, $5 version of the API text
DELETE FROM amazon_claims AS c
WHERE user_id = $1 AND seen_pass < $2 AND coalesce(created_at, '-infinity') >= $3
    AND coalesce(created_at, '-infinity') < $4
    AND (
        api <> $5 OR EXISTS (
            SELECT FROM amazon_claims AS s
            WHERE s.user_id = $1 AND s.fingerprint = c.fingerprint AND s.seen_pass = $2
        )
    );

-- name: fail_idle
-- Ends syncs that have lasted too long, or that were taken up so often without any progress; a page of them.
-- $1 seconds that one may last double precision, $2 times that one is taken up integer, $3 seconds of the first rest
-- double precision, $4 message text, $5 rows at most bigint
UPDATE sync_progress SET status = 'failed', completed_at = now(), updated_at = now(), steps = steps + 1,
    waits_until = NULL, current_step = $4, metadata = metadata || jsonb_build_object('error', $4::text)
WHERE status = 'running' AND id IN (
    SELECT id FROM sync_progress
    WHERE status = 'running' AND (created_at < now() - make_interval(secs => $1) OR resumed >= $2
        AND greatest(updated_at, waits_until) < now() - make_interval(secs => $3 * 2 ^ resumed))
    ORDER BY updated_at LIMIT $5 FOR UPDATE SKIP LOCKED
)
RETURNING *, clock_timestamp() AS now;

-- name: find_orders_without_items
-- The newest orders of a user whose items nobody has asked for.
-- $1 user text, $2 rows at most bigint
SELECT order_id FROM amazon_orders WHERE user_id = $1 AND items IS NULL
ORDER BY purchased_at DESC NULLS LAST LIMIT $2;

-- name: find_running
-- The sync of a user that is running.
-- $1 user text
SELECT *, clock_timestamp() AS now FROM sync_progress WHERE user_id = $1 AND status = 'running';

-- name: find_sync
-- A sync of a user by its name; an empty name: the one that is running, else the newest.
-- $1 user text, $2 what it is called text
SELECT *, clock_timestamp() AS now FROM sync_progress WHERE user_id = $1 AND ($2::text = '' OR sync_id = $2)
ORDER BY status = 'running' DESC, created_at DESC, sync_id DESC LIMIT 1;

-- name: find_undated
-- Claims without a date that say the same as these, that a pass has not met, and that were read first since some time,
-- the newest first.
-- $1 user text, $2 fingerprints bytea[], $3 pass bigint, $4 since when timestamptz
SELECT fingerprint, claim_id FROM amazon_claims
WHERE user_id = $1 AND fingerprint = ANY($2::bytea[]) AND created_at IS NULL AND seen_pass < $3 AND synced_at > $4
ORDER BY synced_at DESC, claim_id;

-- name: forget_consents
-- Deletes the states of sellers who have not come back from Amazon's page in time.
-- $1 rows at most bigint
DELETE FROM amazon_consents WHERE digest IN (
    SELECT digest FROM amazon_consents WHERE expires_at < now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
);

-- name: forget_syncs
-- Deletes syncs that ended long ago; gives how many it were.
-- $1 age in seconds double precision, $2 rows at most bigint
WITH forgotten AS (
    DELETE FROM sync_progress WHERE id IN (
        SELECT id FROM sync_progress WHERE status <> 'running' AND completed_at < now() - make_interval(secs => $1)
        ORDER BY completed_at LIMIT $2
    ) RETURNING true
)
SELECT count(*) FROM forgotten;

-- name: last_duration
-- How many seconds the last sync of a user took that was completed.
-- $1 user text
SELECT extract(epoch FROM completed_at - created_at)::double precision FROM sync_progress
WHERE user_id = $1 AND status = 'completed' ORDER BY created_at DESC LIMIT 1;

-- name: list_syncs
-- A page of the syncs of a user, the newest first.
-- $1 user text, $2 rows at most bigint, $3 rows before them bigint
SELECT *, clock_timestamp() AS now FROM sync_progress WHERE user_id = $1
ORDER BY created_at DESC, sync_id DESC LIMIT $2 OFFSET $3;

-- name: next_pass
-- A number for a reading of a part from its first page to its last; a later one has a greater number.
SELECT nextval('amazon_passes');

-- name: note_wait
-- Notes that a sync waits, and whether for a fault (1) or only for its turn (0); no row where somebody has come first.
-- $1 sync uuid, $2 steps that were seen bigint, $3 seconds that it waits for its turn double precision; null: it waits
-- for no turn, $4 message text, $5 metadata text, an object of JSON, $6 faults integer
UPDATE sync_progress SET steps = steps + 1, updated_at = now(), resumed = 0, faults = faults + $6, current_step = $4,
    waits_until = now() + make_interval(secs => $3), metadata = $5::text::jsonb
WHERE id = $1 AND steps = $2 AND status = 'running' RETURNING *, clock_timestamp() AS now;

-- name: plan_for_these_values
-- Lets the queries of a transaction be planned for the values they have. A plan for any values takes each array for one
-- of ten elements, and reads whole tables rather than trust that.
SET LOCAL plan_cache_mode = force_custom_plan;

-- name: put_claims
-- Writes claims, whether they are new or not. Of one without a date it stays known when it was read first.
-- $1 user text, $2 ids text[], $3 orders text[], $4 amounts numeric[], $5 currencies text[], $6 statuses text[],
-- $7 types text[], $8 descriptions text[], $9 when they were posted timestamptz[], $10 fingerprints bytea[],
-- $11 pass bigint, $12 whether Amazon is its sandbox boolean, $13 name of the sandbox text, $14 version of the API text
INSERT INTO amazon_claims AS c (user_id, claim_id, order_id, amount, currency, status, type, description, created_at,
    fingerprint, seen_pass, is_mock, mock_scenario, api)
SELECT $1, n.claim_id, n.order_id, n.amount, n.currency, n.status, n.type, n.description, n.posted_at, n.fingerprint,
    $11, $12, $13, $14
FROM unnest($2::text[], $3::text[], $4::numeric[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
    $10::bytea[])
    AS n (claim_id, order_id, amount, currency, status, type, description, posted_at, fingerprint)
ON CONFLICT (user_id, claim_id) DO UPDATE SET order_id = excluded.order_id, amount = excluded.amount,
    currency = excluded.currency, status = excluded.status, type = excluded.type, description = excluded.description,
    created_at = excluded.created_at, fingerprint = excluded.fingerprint, seen_pass = excluded.seen_pass,
    synced_at = CASE WHEN excluded.created_at IS NULL THEN c.synced_at ELSE now() END, is_mock = excluded.is_mock,
    mock_scenario = excluded.mock_scenario, api = excluded.api;

-- name: put_inventory
-- Writes the inventory, whether its rows are new or not.
-- $1 user text, $2 SKUs text[], $3 ASINs text[], $4 FNSKUs text[], $5 names text[], $6 available integer[], $7 reserved
-- integer[], $8 inbound integer[], $9 in all integer[], $10 conditions text[], $11 pass bigint, $12 whether Amazon is
-- its sandbox boolean, $13 name of the sandbox text
INSERT INTO amazon_inventory (user_id, sku, asin, fnsku, product_name, quantity_available, quantity_reserved,
    quantity_inbound, quantity_total, condition, seen_pass, is_mock, mock_scenario)
SELECT $1, n.sku, n.asin, n.fnsku, n.name, n.available, n.reserved, n.inbound, n.total, n.condition, $11, $12, $13
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::integer[], $8::integer[], $9::integer[],
    $10::text[]) AS n (sku, asin, fnsku, name, available, reserved, inbound, total, condition)
ON CONFLICT (user_id, sku) DO UPDATE SET asin = excluded.asin, fnsku = excluded.fnsku,
    product_name = excluded.product_name, quantity_available = excluded.quantity_available,
    quantity_reserved = excluded.quantity_reserved, quantity_inbound = excluded.quantity_inbound,
    quantity_total = excluded.quantity_total, condition = excluded.condition, seen_pass = excluded.seen_pass,
    synced_at = now(), is_mock = excluded.is_mock, mock_scenario = excluded.mock_scenario;

-- name: put_items
-- Writes what was ordered with an order.
-- $1 user text, $2 order text, $3 items text, an array of JSON
UPDATE amazon_orders SET items = $3::text::jsonb, synced_at = now() WHERE user_id = $1 AND order_id = $2;

-- name: put_orders
-- Writes orders, whether they are new or not, but for those of which a later state is known. Items that nobody tells
-- stay as they are; what was asked of an order that was pending had no prices yet, and is asked again.
-- $1 user text, $2 ids text[], $3 when they were bought timestamptz[], $4 when they changed timestamptz[], $5 statuses
-- text[], $6 channels text[], $7 marketplaces text[], $8 totals numeric[], $9 currencies text[], $10 items shipped
-- integer[], $11 items not shipped integer[], $12 items text[], arrays of JSON, $13 whether Amazon is its sandbox
-- boolean, $14 name of the sandbox text
INSERT INTO amazon_orders AS o (user_id, order_id, purchased_at, last_updated_at, status, fulfillment_channel,
    marketplace_id, total, currency, items_shipped, items_unshipped, items, is_mock, mock_scenario)
SELECT $1, n.order_id, n.purchased_at, n.updated_at, n.status, n.channel, n.marketplace_id, n.total, n.currency,
    n.shipped, n.unshipped, n.items::jsonb, $13, $14
FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::numeric[],
    $9::text[], $10::integer[], $11::integer[], $12::text[])
    AS n (order_id, purchased_at, updated_at, status, channel, marketplace_id, total, currency, shipped, unshipped,
        items)
ON CONFLICT (user_id, order_id) DO UPDATE SET purchased_at = excluded.purchased_at,
    last_updated_at = excluded.last_updated_at, status = excluded.status,
    fulfillment_channel = excluded.fulfillment_channel, marketplace_id = excluded.marketplace_id,
    total = excluded.total, currency = excluded.currency, items_shipped = excluded.items_shipped,
    items_unshipped = excluded.items_unshipped,
    items = coalesce(excluded.items, CASE WHEN o.status = 'Pending' AND excluded.status <> 'Pending' THEN NULL
        ELSE o.items END),
    synced_at = now(), is_mock = excluded.is_mock, mock_scenario = excluded.mock_scenario
WHERE o.last_updated_at IS NULL OR excluded.last_updated_at IS NULL OR excluded.last_updated_at >= o.last_updated_at;

-- name: reached_claims
-- Notes up to when the claims of an account have been read.
-- $1 user text, $2 seller text, $3 until when timestamptz
UPDATE amazon_accounts SET claims_until = greatest(claims_until, $3)
WHERE user_id = $1 AND seller_id = $2 AND status = 'connected';

-- name: reached_orders
-- Notes up to when the orders of an account have been read.
-- $1 user text, $2 seller text, $3 until when timestamptz
UPDATE amazon_accounts SET orders_until = greatest(orders_until, $3)
WHERE user_id = $1 AND seller_id = $2 AND status = 'connected';

-- name: read_sync
-- A sync by its row.
-- $1 sync uuid
SELECT *, clock_timestamp() AS now FROM sync_progress WHERE id = $1;

-- name: read_until
-- Up to when the claims and orders of a user were read: as the row of his account has it, and for one without a row as
-- his syncs have it.
-- $1 user text
SELECT CASE WHEN a.user_id IS NULL THEN s.claims_until ELSE a.claims_until END AS claims_until,
    CASE WHEN a.user_id IS NULL THEN s.orders_until ELSE a.orders_until END AS orders_until
FROM (
    SELECT max(until) FILTER (WHERE metadata #>> '{results,claims,status}' = 'success') AS claims_until,
        max(until) FILTER (WHERE metadata #>> '{results,orders,status}' = 'success') AS orders_until
    FROM sync_progress WHERE user_id = $1 AND status <> 'running'
) AS s LEFT JOIN amazon_accounts AS a ON a.user_id = $1;

-- name: resume_idle
-- Takes up syncs that nobody has touched for a while, each rest twice as long as the one before; a page of them. Those
-- whose command waits in the outbox are not forgotten, and are left to it.
-- $1 times that one is taken up integer, $2 seconds of the first rest double precision, $3 rows at most bigint
UPDATE sync_progress SET resumed = resumed + 1 WHERE status = 'running' AND id IN (
    SELECT id FROM sync_progress AS s
    WHERE status = 'running' AND resumed < $1
        AND greatest(updated_at, waits_until) < now() - make_interval(secs => $2 * 2 ^ resumed)
        AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.command_id = s.id)
    ORDER BY updated_at LIMIT $3 FOR UPDATE SKIP LOCKED
)
RETURNING id, user_id;

-- name: sweep_inventory
-- Deletes a page of the inventory that a whole pass has not seen; gives how many rows it were.
-- $1 user text, $2 pass bigint, $3 rows at most bigint
WITH gone AS (
    DELETE FROM amazon_inventory WHERE id IN (
        SELECT id FROM amazon_inventory WHERE user_id = $1 AND seen_pass < $2 LIMIT $3
    ) RETURNING true
)
SELECT count(*) FROM gone;
