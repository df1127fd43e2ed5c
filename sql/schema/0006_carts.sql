-- Carts. One row per game in the cart of an owner: a user, or the guest session of somebody who has not logged in.
-- Nothing refers to the games: one that has vanished stays in the cart, so that its owner can be told.

CREATE TABLE carts (
    owner_kind text        NOT NULL CHECK (owner_kind IN ('user', 'session')),
    owner_id   text        NOT NULL CHECK (char_length(owner_id) BETWEEN 1 AND 128),
    game_id    text        NOT NULL CHECK (game_id ~ '^[A-Za-z0-9._-]{1,64}$'),
    quantity   bigint      NOT NULL CHECK (quantity BETWEEN 1 AND 99),
    added_at   timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner_kind, owner_id, game_id)
);

-- What guests have left behind lapses by its age; what users have does not.
CREATE INDEX carts_of_guests_by_age ON carts (changed_at) WHERE owner_kind = 'session';

-- Wishlists. One row per game that an owner wishes for; owners as in carts.

CREATE TABLE wishlists (
    owner_kind text        NOT NULL CHECK (owner_kind IN ('user', 'session')),
    owner_id   text        NOT NULL CHECK (char_length(owner_id) BETWEEN 1 AND 128),
    game_id    text        NOT NULL CHECK (game_id ~ '^[A-Za-z0-9._-]{1,64}$'),
    added_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner_kind, owner_id, game_id)
);

CREATE INDEX wishlists_of_guests_by_age ON wishlists (added_at) WHERE owner_kind = 'session';
