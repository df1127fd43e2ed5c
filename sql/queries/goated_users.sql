-- Queries of people: members of the affiliate program at Goated, and users of ours, in alphabetical order. Who of the
-- one is who of the other, a verification says.

-- name: change_user
-- Writes the profile of a user.
-- $1 user text, $2 nickname text, $3 first name text, $4 last name text, $5 avatar text
UPDATE users SET nickname = $2, first_name = $3, last_name = $4, avatar = $5 WHERE id = $1;

-- name: count_ahead
-- How many of the leaderboard stand before somebody in each of its four orders, who has wagered so much.
-- $1 uid text, $2 today numeric, $3 this week numeric, $4 this month numeric, $5 all time numeric
SELECT (
    SELECT count(*) FROM goated_wagers WHERE today >= $2 AND (today > $2 OR uid COLLATE "C" < $1)
) AS today, (
    SELECT count(*) FROM goated_wagers WHERE this_week >= $3 AND (this_week > $3 OR uid COLLATE "C" < $1)
) AS weekly, (
    SELECT count(*) FROM goated_wagers WHERE this_month >= $4 AND (this_month > $4 OR uid COLLATE "C" < $1)
) AS monthly, (
    SELECT count(*) FROM goated_wagers WHERE all_time >= $5 AND (all_time > $5 OR uid COLLATE "C" < $1)
) AS all_time;

-- name: count_by_piece
-- How many names have a text of three characters or more in them; it stops counting at $2.
-- $1 text text, $2 rows at most bigint
SELECT count(*) FROM (
    SELECT FROM goated_members
    WHERE trigrams @> ARRAY(SELECT substr(lower($1), place, 3) FROM generate_series(1, length(lower($1)) - 2) AS place)
        AND strpos(lower(name), lower($1)) > 0
    LIMIT $2
) AS found;

-- name: count_by_prefix
-- How many names begin with a text; it stops counting at $2.
-- $1 text text, $2 rows at most bigint
SELECT count(*) FROM (
    SELECT FROM goated_members WHERE lower(name) COLLATE "C" ^@ lower($1) LIMIT $2
) AS found;

-- name: find_people
-- The people of these ids, each of which is that of a user of ours, or else a uid of Goated's; in the order of the ids.
-- $1 ids text[]
SELECT asked.id AS asked, u.id, m.uid, m.name, u.nickname, u.email, u.avatar, v.id IS NOT NULL AS is_verified,
    coalesce(u.created_at, m.first_seen) AS member_since
FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place)
LEFT JOIN users AS own ON own.id = asked.id
LEFT JOIN goated_members AS told ON told.uid = asked.id AND own.id IS NULL
LEFT JOIN goated_verifications AS v ON v.status = 'verified' AND (v.user_id = own.id OR v.uid = told.uid)
LEFT JOIN users AS u ON u.id = coalesce(own.id, v.user_id)
LEFT JOIN goated_members AS m ON m.uid = coalesce(told.uid, v.uid)
WHERE u.id IS NOT NULL OR m.uid IS NOT NULL
ORDER BY asked.place;

-- name: find_race
-- The race that goes on, or whose last figures are awaited.
SELECT id, prize_pool, shares FROM goated_races WHERE status <> 'completed';

-- name: find_wagers
-- A person, and what he has wagered; that is null where the leaderboard is without him.
-- $1 uid text
SELECT m.uid, m.name, w.today, w.this_week, w.this_month, w.all_time
FROM goated_members AS m LEFT JOIN goated_wagers AS w ON w.uid = m.uid
WHERE m.uid = $1;

-- name: lock_profile
-- What a user may change of himself, locked.
-- $1 user text
SELECT nickname, first_name, last_name, avatar, email FROM users WHERE id = $1 FOR UPDATE;

-- name: plan_for_these_values
-- Has the queries of this transaction planned for what they look for: a plan for any value could use no index.
SET LOCAL plan_cache_mode = force_custom_plan;

-- name: read_board
-- When Goated last told its leaderboard, and the time.
SELECT fetched_at, now() AS now FROM goated_board;

-- name: search_by_piece
-- A page of the people whose name has a text of three characters or more in it: who is called just that, whose name
-- begins with it, then the others, by name. All of its characters in threes are among those of such a name, which an
-- index knows; that they stand together there is looked at.
-- $1 text text, $2 rows bigint, $3 rows before them bigint
SELECT u.id, m.uid, m.name, u.nickname, u.email, u.avatar, v.id IS NOT NULL AS is_verified,
    coalesce(u.created_at, m.first_seen) AS member_since
FROM (
    SELECT uid, name, first_seen, lower(name) <> lower($1) AS is_longer, strpos(lower(name), lower($1)) AS place
    FROM goated_members
    WHERE trigrams @> ARRAY(SELECT substr(lower($1), place, 3) FROM generate_series(1, length(lower($1)) - 2) AS place)
        AND strpos(lower(name), lower($1)) > 0
    ORDER BY is_longer, strpos(lower(name), lower($1)) > 1, lower(name) COLLATE "C", uid COLLATE "C"
    LIMIT $2 OFFSET $3
) AS m
LEFT JOIN goated_verifications AS v ON v.uid = m.uid AND v.status = 'verified'
LEFT JOIN users AS u ON u.id = v.user_id
ORDER BY m.is_longer, m.place > 1, lower(m.name) COLLATE "C", m.uid COLLATE "C";

-- name: search_by_prefix
-- A page of the people whose name begins with a text, by name: who is called just that comes first.
-- $1 text text, $2 rows bigint, $3 rows before them bigint
SELECT u.id, m.uid, m.name, u.nickname, u.email, u.avatar, v.id IS NOT NULL AS is_verified,
    coalesce(u.created_at, m.first_seen) AS member_since
FROM (
    SELECT uid, name, first_seen FROM goated_members WHERE lower(name) COLLATE "C" ^@ lower($1)
    ORDER BY lower(name) COLLATE "C", uid COLLATE "C" LIMIT $2 OFFSET $3
) AS m
LEFT JOIN goated_verifications AS v ON v.uid = m.uid AND v.status = 'verified'
LEFT JOIN users AS u ON u.id = v.user_id
ORDER BY lower(m.name) COLLATE "C", m.uid COLLATE "C";
