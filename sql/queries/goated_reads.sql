-- Queries that read races and the leaderboard, in alphabetical order. A page is found in the index of its order alone,
-- and names are looked up for what is shown; a name is that of now, and in a race that is over that of its end.

-- name: count_active
-- How many people have wagered anything in each period.
SELECT count(*) FILTER (WHERE today > 0) AS today, count(*) FILTER (WHERE this_week > 0) AS weekly,
    count(*) FILTER (WHERE this_month > 0) AS monthly, count(*) FILTER (WHERE all_time > 0) AS all_time
FROM goated_wagers;

-- name: count_winners
-- How many people have wagered anything this month, counted up to a limit.
-- $1 rows at most bigint
SELECT count(*) FROM (
    SELECT FROM goated_wagers WHERE this_month > 0 ORDER BY this_month DESC, uid COLLATE "C" LIMIT $1
) AS winner;

-- name: find_last_race
-- The race that ended last, of those that were stored; `paid` is what its prizes add up to.
SELECT r.*, (SELECT coalesce(sum(prize), 0) FROM goated_standings
    WHERE race_id = r.id AND position <= cardinality(r.shares)) AS paid
FROM goated_races AS r WHERE status = 'completed' ORDER BY ends_at DESC LIMIT 1;

-- name: find_open_race
-- The race that has not been completed.
SELECT * FROM goated_races WHERE status <> 'completed';

-- name: list_all_time
-- A page of the leaderboard of all time.
-- $1 rows bigint, $2 rows before them bigint
SELECT page.*, m.name FROM (
    SELECT uid, today, this_week, this_month, all_time,
        row_number() OVER (ORDER BY all_time DESC, uid COLLATE "C") AS position
    FROM goated_wagers ORDER BY all_time DESC, uid COLLATE "C" LIMIT $1 OFFSET $2
) AS page JOIN goated_members AS m USING (uid) ORDER BY position;

-- name: list_monthly
-- A page of the leaderboard of the month, which is that of the race that is open as well.
-- $1 rows bigint, $2 rows before them bigint
SELECT page.*, m.name FROM (
    SELECT uid, today, this_week, this_month, all_time,
        row_number() OVER (ORDER BY this_month DESC, uid COLLATE "C") AS position
    FROM goated_wagers ORDER BY this_month DESC, uid COLLATE "C" LIMIT $1 OFFSET $2
) AS page JOIN goated_members AS m USING (uid) ORDER BY position;

-- name: list_standings
-- A page of what came of a race.
-- $1 race text, $2 rows bigint, $3 rows before them bigint
SELECT position, uid, name, wagered, prize FROM goated_standings
WHERE race_id = $1 AND position > $3 AND position <= $3 + $2 ORDER BY position;

-- name: list_today
-- A page of the leaderboard of the day.
-- $1 rows bigint, $2 rows before them bigint
SELECT page.*, m.name FROM (
    SELECT uid, today, this_week, this_month, all_time,
        row_number() OVER (ORDER BY today DESC, uid COLLATE "C") AS position
    FROM goated_wagers ORDER BY today DESC, uid COLLATE "C" LIMIT $1 OFFSET $2
) AS page JOIN goated_members AS m USING (uid) ORDER BY position;

-- name: list_weekly
-- A page of the leaderboard of the week.
-- $1 rows bigint, $2 rows before them bigint
SELECT page.*, m.name FROM (
    SELECT uid, today, this_week, this_month, all_time,
        row_number() OVER (ORDER BY this_week DESC, uid COLLATE "C") AS position
    FROM goated_wagers ORDER BY this_week DESC, uid COLLATE "C" LIMIT $1 OFFSET $2
) AS page JOIN goated_members AS m USING (uid) ORDER BY position;

-- name: read_board
-- What is known of the leaderboard, and the time.
SELECT version, fetched_at, people, today, this_week, this_month, all_time, clock_timestamp() AS now FROM goated_board;
