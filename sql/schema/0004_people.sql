-- People. One row per account; guests have none.

CREATE TABLE users (
    id            text          PRIMARY KEY CHECK (char_length(id) BETWEEN 1 AND 128),
    -- In lower case, so that nobody has two accounts by one address.
    email         text          NOT NULL UNIQUE
                                CHECK (char_length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    -- Argon2id, or bcrypt where the account comes from elsewhere and has not logged in here yet.
    password_hash text          NOT NULL CHECK (char_length(password_hash) BETWEEN 1 AND 255),
    nickname      text          NOT NULL CHECK (char_length(nickname) BETWEEN 1 AND 64),
    first_name    text          CHECK (char_length(first_name) BETWEEN 1 AND 64),
    last_name     text          CHECK (char_length(last_name) BETWEEN 1 AND 64),
    avatar        text          CHECK (char_length(avatar) BETWEEN 1 AND 512),
    role          text          NOT NULL DEFAULT 'USER' CHECK (role IN ('USER', 'ADMIN')),
    -- The fence against overdrawing; the rows of the ledger add up to it.
    balance       numeric(12,2) NOT NULL DEFAULT 0 CHECK (balance >= 0),
    created_at    timestamptz   NOT NULL DEFAULT now()
);

-- Logins. One row per login; all tokens that came of it stand or fall with it.

CREATE TABLE logins (
    id         uuid        PRIMARY KEY,
    user_id    text        NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- However often its refresh token is renewed, it ends then.
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT expires_after_creation CHECK (expires_at > created_at)
);

CREATE INDEX logins_by_user ON logins (user_id);
CREATE INDEX logins_by_expiry ON logins (expires_at);

-- Refresh tokens, used ones too: one that comes again tells that somebody else has a copy of it.

CREATE TABLE refresh_tokens (
    -- SHA-256 of the token; the token itself is kept nowhere.
    digest   bytea       PRIMARY KEY CHECK (octet_length(digest) = 32),
    login_id uuid        NOT NULL REFERENCES logins ON DELETE CASCADE,
    used_at  timestamptz,
    -- Random bytes that, with the token itself, give its successor anew; of no use to whoever has no token.
    salt     bytea       CHECK (octet_length(salt) = 32),
    CONSTRAINT used_has_salt CHECK ((used_at IS NULL) = (salt IS NULL))
);

-- The fence against two chains of tokens from one login.
CREATE UNIQUE INDEX refresh_tokens_one_unused ON refresh_tokens (login_id) WHERE used_at IS NULL;
CREATE INDEX refresh_tokens_by_login ON refresh_tokens (login_id);
