-- Queries of accounts at Amazon and of the way to one, in alphabetical order.

-- name: add_consent
-- Notes that a user has set out for Amazon's page; nothing where this is noted already.
-- $1 SHA-256 of the state bytea, $2 user text, $3 seconds that he has double precision
INSERT INTO amazon_consents (digest, user_id, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))
ON CONFLICT DO NOTHING;

-- name: add_disconnected
-- Notes of a user who has no account of his own that he wants none of somebody else's either.
-- $1 user text, $2 seller text, $3 marketplace text
INSERT INTO amazon_accounts (user_id, status, seller_id, marketplace_id, ended_at)
VALUES ($1, 'disconnected', $2, $3, now()) ON CONFLICT DO NOTHING;

-- name: connect_account
-- Connects an account, new or anew. What was read of it before need not be read again, of another one it must be.
-- $1 user text, $2 seller text, $3 marketplace text, $4 sealed token bytea
INSERT INTO amazon_accounts AS a (user_id, status, seller_id, marketplace_id, sealed_token)
VALUES ($1, 'connected', $2, $3, $4)
ON CONFLICT (user_id) DO UPDATE SET status = 'connected', seller_id = excluded.seller_id,
    marketplace_id = excluded.marketplace_id, sealed_token = excluded.sealed_token, connected_at = now(),
    ended_at = NULL,
    claims_until = CASE WHEN (a.seller_id, a.marketplace_id) = (excluded.seller_id, excluded.marketplace_id)
        THEN a.claims_until END,
    orders_until = CASE WHEN (a.seller_id, a.marketplace_id) = (excluded.seller_id, excluded.marketplace_id)
        THEN a.orders_until END
RETURNING seller_id, marketplace_id, connected_at;

-- name: end_account
-- Ends an account, and forgets its token; one that has ended keeps its time.
-- $1 user text, $2 status text
UPDATE amazon_accounts SET status = $2, sealed_token = NULL, ended_at = coalesce(ended_at, now()) WHERE user_id = $1;

-- name: find_account
-- The account of a user.
-- $1 user text
SELECT status, seller_id, marketplace_id, sealed_token, connected_at, ended_at
FROM amazon_accounts WHERE user_id = $1;

-- name: find_consent
-- Whether this very user has set out with this state, and not too long ago.
-- $1 SHA-256 of the state bytea, $2 user text
SELECT true FROM amazon_consents WHERE digest = $1 AND user_id = $2 AND expires_at > now();

-- name: forget_oldest_consents
-- Deletes a user's consents but for the newest.
-- $1 user text, $2 consents to keep bigint
DELETE FROM amazon_consents WHERE digest IN (
    SELECT digest FROM amazon_consents WHERE user_id = $1 ORDER BY expires_at DESC, digest OFFSET $2
);

-- name: keep_token
-- Puts another token in the place of the one of an account that is connected.
-- $1 user text, $2 sealed token bytea
UPDATE amazon_accounts SET sealed_token = $2 WHERE user_id = $1 AND status = 'connected';

-- name: lock_account
-- The account of a user, locked until the transaction ends against whoever would end or exchange it.
-- $1 user text
SELECT status, seller_id, marketplace_id, sealed_token, connected_at, ended_at
FROM amazon_accounts WHERE user_id = $1 FOR UPDATE;

-- name: lock_user
-- Locks a user until the transaction ends; no row where there is none.
-- $1 user text
SELECT true FROM users WHERE id = $1 FOR NO KEY UPDATE;

-- name: use_consent
-- Uses up a consent, once; no row where it was used before, or is not of this user.
-- $1 SHA-256 of the state bytea, $2 user text
DELETE FROM amazon_consents WHERE digest = $1 AND user_id = $2 RETURNING true;

-- name: use_up_consents
-- Uses up all consents of a user: what he began before counts no more.
-- $1 user text
DELETE FROM amazon_consents WHERE user_id = $1;
