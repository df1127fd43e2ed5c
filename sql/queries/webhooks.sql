-- Queries of webhooks, in alphabetical order.

-- name: forget_events
-- Deletes events that were settled long ago; gives how many.
-- $1 seconds since then double precision, $2 rows at most bigint
WITH old AS (
    SELECT source, event_id FROM webhook_events WHERE settled_at < now() - make_interval(secs => $1)
    ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM webhook_events AS e USING old WHERE e.source = old.source AND e.event_id = old.event_id RETURNING true
)
SELECT count(*) FROM gone;

-- name: lock_event
-- An event, which nobody else changes before the transaction ends.
-- $1 source text, $2 event id text
SELECT order_id, type, payload, state, attempts FROM webhook_events
WHERE source = $1 AND event_id = $2 FOR UPDATE;

-- name: note_event
-- Writes an event; no row where it was here before. Waits for whoever writes it just now.
-- $1 source text, $2 event id text, $3 order id text, $4 type text, $5 payload bytea
INSERT INTO webhook_events (source, event_id, order_id, type, payload) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING true;

-- name: tried_event
-- Notes what an attempt has made of an event.
-- $1 source text, $2 event id text, $3 state text, $4 reason text
UPDATE webhook_events
SET state = $3::text::webhook_state, reason = $4, attempts = attempts + 1,
    settled_at = CASE $3::text WHEN 'parked' THEN NULL ELSE now() END
WHERE source = $1 AND event_id = $2;
