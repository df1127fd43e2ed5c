-- Queries of the scheduler, in alphabetical order.

-- name: end_turn
-- Frees a schedule whose lease is still its holder's, and says when it is due next.
-- $1 name text, $2 holder text, $3 next due time timestamptz; null leaves it due
UPDATE schedules SET due_at = coalesce($3, due_at), holder = NULL, lease_until = NULL
WHERE name = $1 AND holder = $2;

-- name: forget_handled
-- Deletes replies of commands that were handled long ago and cannot come again; gives how many it were.
-- $1 age in seconds double precision, $2 ids of commands that may come again uuid[], $3 rows at most bigint
WITH forgotten AS (
    DELETE FROM handled_commands WHERE command_id IN (
        SELECT command_id FROM handled_commands AS h
        WHERE handled_at < now() - make_interval(secs => $1)
            AND command_id <> ALL ($2::uuid[])
            AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.command_id = h.command_id)
        ORDER BY handled_at LIMIT $3
    ) RETURNING true
)
SELECT count(*) FROM forgotten;

-- name: put_schedule
-- Adds a schedule, or brings it forward when its due time is still the one that was seen.
-- $1 name text, $2 due time timestamptz, $3 the due time that was seen timestamptz
INSERT INTO schedules (name, due_at) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at WHERE schedules.due_at = $3;

-- name: read_schedule
-- The time, when a schedule is due, and until when somebody is at work on it; nulls where there is no such row.
-- $1 name text
SELECT clock_timestamp() AS now, due_at, lease_until
FROM (VALUES ($1::text)) AS wanted (name) LEFT JOIN schedules USING (name);

-- name: renew_lease
-- Keeps a schedule for its holder; no row when the lease has ended or is another's.
-- $1 name text, $2 holder text, $3 seconds double precision
UPDATE schedules SET lease_until = now() + make_interval(secs => $3)
WHERE name = $1 AND holder = $2 AND lease_until > now() RETURNING true;

-- name: take_turn
-- Takes a schedule that is due and that nobody living is at work on; gives the time, and no row when it cannot be had.
-- $1 name text, $2 holder text, $3 seconds of the lease double precision
UPDATE schedules SET holder = $2, lease_until = now() + make_interval(secs => $3)
WHERE name = $1 AND due_at <= now() AND (lease_until IS NULL OR lease_until <= now()) RETURNING now();
