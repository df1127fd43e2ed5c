-- Queries of the auth worker: accounts, logins, and the refresh tokens that renew them, in alphabetical order.

-- name: add_login
-- Begins a login.
-- $1 login id uuid, $2 user text, $3 seconds that it lasts double precision
INSERT INTO logins (id, user_id, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3));

-- name: add_refresh_token
-- Keeps the one refresh token of a login that has not been used.
-- $1 digest bytea, $2 login id uuid
INSERT INTO refresh_tokens (digest, login_id) VALUES ($1, $2);

-- name: add_to_balance
-- Adds a deposit to a balance, and tells whose it is; no row when nobody has that address.
-- $1 email text, $2 amount numeric
UPDATE users SET balance = balance + $2 WHERE email = $1 RETURNING id, balance;

-- name: add_user
-- Makes an account; no row when the address has one. Waits for whoever makes one of that address just now.
-- $1 id text, $2 email text, $3 password hash text, $4 nickname text, $5 first name text, $6 last name text
-- $7 role text
INSERT INTO users (id, email, password_hash, nickname, first_name, last_name, role)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (email) DO NOTHING
RETURNING id, email, nickname, first_name, last_name, avatar, role;

-- name: end_login
-- Ends a login of a user, and makes every token of it worthless.
-- $1 login id uuid, $2 user text
UPDATE logins SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 AND user_id = $2;

-- name: end_login_of_token
-- Ends the login that a refresh token belongs to, a used one too.
-- $1 digest bytea
UPDATE logins SET revoked_at = coalesce(revoked_at, now())
WHERE id = (SELECT login_id FROM refresh_tokens WHERE digest = $1);

-- name: find_refresh_token
-- What is known of a refresh token; to be read while its login is locked.
-- $1 digest bytea, $2 seconds within which a used one may be repeated double precision
SELECT used_at IS NULL AS unused, used_at > now() - make_interval(secs => $2) AS repeatable, salt
FROM refresh_tokens WHERE digest = $1;

-- name: find_user
-- A user by the address.
-- $1 email text
SELECT id, email, nickname, first_name, last_name, avatar, role, password_hash FROM users WHERE email = $1;

-- name: find_user_of_login
-- The user of a login that is good still; no row when it is not.
-- $1 login id uuid, $2 user text
SELECT u.id, u.email, u.nickname, u.first_name, u.last_name, u.avatar, u.role, u.balance
FROM logins l JOIN users u ON u.id = l.user_id
WHERE l.id = $1 AND l.user_id = $2 AND l.revoked_at IS NULL AND l.expires_at > now();

-- name: forget_old_logins
-- Deletes logins that ended by themselves, with all their tokens; one that comes after that is unknown, and refused.
-- $1 how many at most bigint
WITH old AS (SELECT id FROM logins WHERE expires_at < now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
DELETE FROM logins WHERE id IN (SELECT id FROM old);

-- name: lock_login
-- The login and the user of a refresh token, locked, so that one at a time renews it.
-- $1 digest bytea
SELECT l.id AS login_id, l.revoked_at IS NULL AND l.expires_at > now() AS good,
       u.id, u.email, u.nickname, u.first_name, u.last_name, u.avatar, u.role
FROM refresh_tokens t JOIN logins l ON l.id = t.login_id JOIN users u ON u.id = l.user_id
WHERE t.digest = $1
FOR UPDATE OF l;

-- name: note_deposit
-- Writes a deposit into the ledger.
-- $1 user text, $2 amount numeric
INSERT INTO ledger (user_id, amount, kind) VALUES ($1, $2, 'deposit');

-- name: read_recipient
-- Where mail for a user goes.
-- $1 user text
SELECT email FROM users WHERE id = $1;

-- name: renew_password_hash
-- Replaces a hash that is out of date, unless the password has changed meanwhile.
-- $1 user text, $2 the hash as it was text, $3 the new hash text
UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2;

-- name: use_refresh_token
-- Notes that a refresh token has been used.
-- $1 digest bytea, $2 salt bytea
UPDATE refresh_tokens SET used_at = now(), salt = $2 WHERE digest = $1;
