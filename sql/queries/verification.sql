-- Queries of verification: who of our users is who at Goated, in alphabetical order.

-- name: add_request
-- Writes down who somebody says that he is.
-- $1 request uuid, $2 user text, $3 uid text, $4 seconds that it stands double precision
INSERT INTO goated_verifications (id, user_id, uid, expires_at)
VALUES ($1, $2, $3, now() + make_interval(secs => $4))
RETURNING id, uid, status, requested_at, expires_at;

-- name: decide_request
-- Verifies somebody, or rejects it.
-- $1 request uuid, $2 status text, $3 administrator text, $4 reason text
UPDATE goated_verifications SET (status, decided_at, decided_by, reason) = ($2, now(), $3, nullif($4, ''))
WHERE id = $1;

-- name: expire_requests
-- Ends the requests that nobody has decided in time.
UPDATE goated_verifications SET status = 'expired' WHERE status = 'pending' AND expires_at <= now();

-- name: find_member
-- A person by the uid.
-- $1 uid text
SELECT uid, name FROM goated_members WHERE uid = $1;

-- name: find_members_of_name
-- The people of a name, in capital letters or not: two of them are as good as many.
-- $1 name text
SELECT uid, name FROM goated_members WHERE lower(name) COLLATE "C" = lower($1) LIMIT 2;

-- name: find_newest
-- The newest request of a user.
-- $1 user text
SELECT v.id, v.uid, m.name, v.requested_at, v.expires_at, v.decided_at, v.reason,
    CASE WHEN v.status = 'pending' AND v.expires_at <= now() THEN 'expired' ELSE v.status END AS status
FROM goated_verifications AS v JOIN goated_members AS m ON m.uid = v.uid
WHERE v.user_id = $1 ORDER BY v.requested_at DESC, v.id DESC LIMIT 1;

-- name: find_request
-- A request.
-- $1 request uuid
SELECT id, user_id, uid, status FROM goated_verifications WHERE id = $1;

-- name: find_standing_requests
-- What stands in the way of another request: the one of this user that is pending, and who is verified as him or as
-- this person.
-- $1 user text, $2 uid text
SELECT id, user_id, uid, status, requested_at, expires_at FROM goated_verifications
WHERE user_id = $1 AND status IN ('pending', 'verified') OR uid = $2 AND status = 'verified';

-- name: list_pending
-- The requests that wait for a decision, the oldest first, and how many there are in all.
-- $1 rows at most bigint
SELECT v.id, v.user_id, v.uid, m.name, v.requested_at, v.expires_at, count(*) OVER () AS total
FROM goated_verifications AS v JOIN goated_members AS m ON m.uid = v.uid
WHERE v.status = 'pending' AND v.expires_at > now()
ORDER BY v.requested_at, v.id LIMIT $1;

-- name: lock_requests
-- Lets one at a time ask and decide: both are rare, and what one of them finds must hold until he is done. Who only
-- reads waits for nobody.
LOCK TABLE goated_verifications IN SHARE ROW EXCLUSIVE MODE;

-- name: lock_user
-- Whether there is such a user, who is not deleted meanwhile.
-- $1 user text
SELECT true FROM users WHERE id = $1 FOR KEY SHARE;
