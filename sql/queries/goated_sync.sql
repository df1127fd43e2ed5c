-- Queries of the sync with Goated, in alphabetical order. Whoever changes anything here has locked the row of
-- goated_board first. What was fetched stands in goated_incoming, a table of the transaction's own.

-- name: add_members
-- Adds people who were never on the leaderboard before.
-- $1 now timestamptz
INSERT INTO goated_members (uid, name, first_seen)
SELECT uid, name, $1 FROM goated_incoming AS n
WHERE NOT EXISTS (SELECT FROM goated_members AS m WHERE m.uid = n.uid);

-- name: add_wagers
-- Adds the figures of people who had none.
-- $1 now timestamptz
INSERT INTO goated_wagers (uid, today, this_week, this_month, all_time, changed_at)
SELECT uid, today, this_week, this_month, all_time, $1 FROM goated_incoming AS n
WHERE NOT EXISTS (SELECT FROM goated_wagers AS w WHERE w.uid = n.uid);

-- name: change_members
-- Notes names that are other ones now, and people who are back.
UPDATE goated_members AS m SET name = n.name, gone_at = NULL FROM goated_incoming AS n
WHERE n.uid = m.uid AND (n.name <> m.name OR m.gone_at IS NOT NULL);

-- name: change_wagers
-- Notes figures that are other ones now.
-- $1 now timestamptz
UPDATE goated_wagers AS w SET today = n.today, this_week = n.this_week, this_month = n.this_month,
    all_time = n.all_time, changed_at = $1
FROM goated_incoming AS n
WHERE n.uid = w.uid
    AND (n.today, n.this_week, n.this_month, n.all_time) <> (w.today, w.this_week, w.this_month, w.all_time);

-- name: compare
-- What the fetch would change of the figures that are kept; see Change in workers/goated_races.py.
SELECT count(*) AS people_before,
    (SELECT count(*) FROM goated_incoming) AS people,
    count(*) FILTER (WHERE w.this_month > 0 AND n.uid IS NOT NULL) AS met,
    count(*) FILTER (WHERE w.this_month > 0 AND n.this_month < w.this_month) AS fell,
    count(*) FILTER (WHERE w.this_month > 0 AND n.this_month <= 0) AS zeroed,
    count(*) FILTER (WHERE w.all_time > 0) AS known,
    count(*) FILTER (WHERE w.all_time > 0 AND (n.uid IS NULL OR n.all_time < w.all_time)) AS lost,
    coalesce(sum(w.this_month), 0) > (SELECT coalesce(sum(this_month), 0) FROM goated_incoming) AS has_month_fallen
FROM goated_wagers AS w LEFT JOIN goated_incoming AS n ON n.uid = w.uid;

-- name: complete_race
-- Makes the figures that are kept the result of a race.
-- $1 race text, $2 now timestamptz, $3 why text
UPDATE goated_races AS r SET status = 'completed', total_wagered = b.this_month, participant_count = b.people,
    snapshot_at = b.fetched_at, completed_at = $2, completed_by = $3
FROM goated_board AS b WHERE r.id = $1;

-- name: count_held
-- Fetches since the last good one that were refused for what they said.
-- $1 code text
SELECT count(*) FROM goated_syncs
WHERE code = $1 AND ended_at >= (SELECT coalesce(fetched_at, '-infinity') FROM goated_board);

-- name: count_incoming
-- Has Postgres count what was fetched: it would take so new a table for an empty one.
ANALYZE goated_incoming;

-- name: create_incoming
-- Makes the table for what was fetched. Figures come as texts, which costs the worker an eighth of sending numbers.
CREATE TEMP TABLE goated_incoming (
    uid text PRIMARY KEY, name text NOT NULL,
    today_told text NOT NULL, this_week_told text NOT NULL, this_month_told text NOT NULL, all_time_told text NOT NULL,
    today numeric NOT NULL GENERATED ALWAYS AS (today_told::numeric) STORED,
    this_week numeric NOT NULL GENERATED ALWAYS AS (this_week_told::numeric) STORED,
    this_month numeric NOT NULL GENERATED ALWAYS AS (this_month_told::numeric) STORED,
    all_time numeric NOT NULL GENERATED ALWAYS AS (all_time_told::numeric) STORED
) ON COMMIT DROP;

-- name: drop_wagers
-- Drops the figures of people who are gone: what is kept of figures is the leaderboard, and nothing else.
DELETE FROM goated_wagers AS w WHERE NOT EXISTS (SELECT FROM goated_incoming AS n WHERE n.uid = w.uid);

-- name: end_race
-- Lets the race that is open go over into transition: its time is over.
-- $1 race text
UPDATE goated_races SET status = 'transition' WHERE id = $1;

-- name: find_race
-- The race that is open.
SELECT id, starts_at, ends_at, status, prize_pool, shares FROM goated_races WHERE status <> 'completed';

-- name: forget_syncs
-- Deletes what is known of fetches of long ago; gives how many they were.
-- $1 age in seconds double precision, $2 rows at most bigint
WITH forgotten AS (
    DELETE FROM goated_syncs WHERE id IN (
        SELECT id FROM goated_syncs WHERE began_at < now() - make_interval(secs => $1) ORDER BY began_at LIMIT $2
    ) RETURNING true
)
SELECT count(*) FROM forgotten;

-- name: last_completed
-- The id of the race that was completed last.
SELECT max(id) FROM goated_races WHERE status = 'completed';

-- name: list_syncs
-- The last fetches, the newest first.
-- $1 rows at most bigint
SELECT *, extract(epoch FROM ended_at - began_at)::float8 AS seconds FROM goated_syncs
ORDER BY began_at DESC, id DESC LIMIT $1;

-- name: lock_board
-- What is known of the leaderboard, locked until the transaction ends, and the time.
SELECT *, clock_timestamp() AS now FROM goated_board FOR UPDATE;

-- name: mark_gone
-- Notes of people that the leaderboard is without them.
-- $1 now timestamptz
UPDATE goated_members AS m SET gone_at = $1
WHERE gone_at IS NULL AND NOT EXISTS (SELECT FROM goated_incoming AS n WHERE n.uid = m.uid);

-- name: note_sync
-- Notes what came of a fetch. One that is tried again has the row of its last time, from when it began.
-- $1 sync uuid, $2 when it began timestamptz, $3 when it ended timestamptz, $4 outcome text, $5 shape text, $6 bytes
-- bigint, $7 people bigint, $8 rows that it changed bigint, $9 entries that cannot be read bigint, $10 the race that it
-- ended text, $11 code text, $12 message text
INSERT INTO goated_syncs (id, began_at, ended_at, outcome, shape, bytes, people, changed_rows, bad_rows, ended_race,
    code, message)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome, shape = excluded.shape,
    bytes = excluded.bytes, people = excluded.people, changed_rows = excluded.changed_rows,
    bad_rows = excluded.bad_rows, ended_race = excluded.ended_race, code = excluded.code, message = excluded.message;

-- name: open_race
-- Begins a race, on the terms of this day: they stay while it goes on.
-- $1 race text, $2 start timestamptz, $3 end timestamptz, $4 pool numeric, $5 shares numeric[]
INSERT INTO goated_races (id, starts_at, ends_at, prize_pool, shares, status) VALUES ($1, $2, $3, $4, $5, 'live');

-- name: put_board
-- Notes a leaderboard that was fetched, with its exact sums; its version counts what has changed.
-- $1 now timestamptz, $2 whether anything has changed boolean, $3 etag text, $4 digest bytea
UPDATE goated_board AS b SET fetched_at = $1, etag = $3, digest = $4, people = s.people, today = s.today,
    this_week = s.this_week, this_month = s.this_month, all_time = s.all_time,
    version = version + $2::boolean::int, changed_at = CASE WHEN $2::boolean THEN $1 ELSE changed_at END
FROM (
    SELECT count(*) AS people, coalesce(sum(today), 0) AS today, coalesce(sum(this_week), 0) AS this_week,
        coalesce(sum(this_month), 0) AS this_month, coalesce(sum(all_time), 0) AS all_time
    FROM goated_incoming
) AS s;

-- name: put_standings
-- Keeps the standings of a race that is completed, from the figures that are kept. Prizes go to who has wagered.
-- $1 race text, $2 prizes by position numeric[]
INSERT INTO goated_standings (race_id, position, uid, name, wagered, prize)
SELECT $1, position, uid, name, this_month,
    CASE WHEN this_month > 0 AND position <= cardinality($2::numeric[]) THEN $2[position] ELSE 0 END
FROM (
    SELECT w.uid, m.name, w.this_month,
        (row_number() OVER (ORDER BY w.this_month DESC, w.uid COLLATE "C"))::int AS position
    FROM goated_wagers AS w JOIN goated_members AS m USING (uid)
) AS standing;

-- name: read_board
-- What is known of the leaderboard, and the time.
SELECT *, clock_timestamp() AS now FROM goated_board;

-- name: read_top
-- The first of the race that is open.
-- $1 rows at most bigint
SELECT w.uid, m.name, w.this_month AS wagered FROM goated_wagers AS w JOIN goated_members AS m USING (uid)
ORDER BY w.this_month DESC, w.uid COLLATE "C" LIMIT $1;

-- name: touch_board
-- Notes that Goated still tells the same, and whether a race has changed by that.
-- $1 now timestamptz, $2 whether anything has changed boolean
UPDATE goated_board SET fetched_at = $1, version = version + $2::boolean::int,
    changed_at = CASE WHEN $2::boolean THEN $1 ELSE changed_at END;
