-- Products of G2A. One row per product that a sync has met; one that G2A no longer has keeps its row. What the store
-- makes of it is the game with its id in g2a_product_id. Every sync touches every row, so pages have room for that, and
-- what is long lies outside of the row, where it is not written anew each time.

CREATE TABLE g2a_products (
    product_id  text          PRIMARY KEY CHECK (char_length(product_id) BETWEEN 1 AND 60),
    -- What G2A asks for one, before our markup.
    price       numeric(12,2) NOT NULL CHECK (price >= 0),
    currency    text          NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- Units that G2A could sell when it was last asked.
    quantity    bigint        NOT NULL CHECK (quantity >= 0),
    -- A digest of all that makes the game but its stock: while it stays, an incremental sync leaves the game as it is.
    fingerprint bytea         NOT NULL,
    -- All else that G2A said about it, under its own names.
    details     jsonb         NOT NULL DEFAULT '{}',
    -- When it was found to be gone; null where G2A has it.
    removed_at  timestamptz,
    -- Whether that took its game off sale: only then its return puts it back. An administrator may have done it before.
    took_off    boolean       NOT NULL DEFAULT false,
    -- When a sync last met it.
    last_sync   timestamptz   NOT NULL DEFAULT now()
) WITH (fillfactor = 80, toast_tuple_target = 256);

-- What a full sync has not met, page by page.
CREATE INDEX g2a_products_by_id_unremoved ON g2a_products (product_id) WHERE removed_at IS NULL;

-- Labels. One row per category, genre or platform that any game has.

CREATE TABLE labels (
    id   bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kind text   NOT NULL CHECK (kind IN ('category', 'genre', 'platform')),
    name text   NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
    UNIQUE (kind, name)
);

-- One row per label of a game.

CREATE TABLE game_labels (
    game_id  text   NOT NULL REFERENCES games (id),
    label_id bigint NOT NULL REFERENCES labels (id),
    PRIMARY KEY (game_id, label_id)
);

-- Syncs. One row per run, which has the id of the command that asked for it. Where it stands is committed with what it
-- has written, so that whoever goes on after a crash goes on there.

CREATE TABLE g2a_syncs (
    id                 uuid        PRIMARY KEY,
    kind               text        NOT NULL CHECK (kind IN ('full', 'incremental', 'chosen')),
    -- As it was asked for.
    options            jsonb       NOT NULL,
    -- What has changed since then is asked for, where G2A can tell; null: all.
    since              timestamptz,
    began_at           timestamptz NOT NULL DEFAULT now(),
    touched_at         timestamptz NOT NULL DEFAULT now(),
    ended_at           timestamptz,
    -- Counts every step that was kept: of two processes that do the same one, the second finds it taken.
    steps              bigint      NOT NULL DEFAULT 0,
    -- Pages of the catalogue that are written, or products where they were chosen; and how many there are.
    pages_done         bigint      NOT NULL DEFAULT 0 CHECK (pages_done >= 0),
    pages              bigint      CHECK (pages >= 0),
    -- After the last page of a full sync, each product that stood on none is asked for: behind which one it goes on
    -- (null before that), and how many it were so far.
    missing_after      text,
    missing_asked      bigint      NOT NULL DEFAULT 0,
    -- Passing faults of G2A since the last step that was kept.
    faults             bigint      NOT NULL DEFAULT 0,
    synced             bigint      NOT NULL DEFAULT 0,
    added              bigint      NOT NULL DEFAULT 0,
    updated            bigint      NOT NULL DEFAULT 0,
    removed            bigint      NOT NULL DEFAULT 0,
    categories_created bigint      NOT NULL DEFAULT 0,
    genres_created     bigint      NOT NULL DEFAULT 0,
    platforms_created  bigint      NOT NULL DEFAULT 0,
    -- The first errors of single products, and how many there were in all.
    errors             jsonb       NOT NULL DEFAULT '[]',
    error_count        bigint      NOT NULL DEFAULT 0,
    -- Why it failed, with the status that it is told with; null where it did not.
    status             integer,
    code               text,
    message            text,
    CONSTRAINT failed_has_reason CHECK (num_nonnulls(status, code, message) IN (0, 3)),
    CONSTRAINT failed_has_ended CHECK (code IS NULL OR ended_at IS NOT NULL)
);

-- The lock: one run at a time.
CREATE UNIQUE INDEX g2a_syncs_one_at_a_time ON g2a_syncs ((true)) WHERE ended_at IS NULL;
CREATE INDEX g2a_syncs_by_end ON g2a_syncs (ended_at);

-- Orders whose units the stock at G2A still counts, or counted until a moment ago.
CREATE INDEX store_orders_unfinished ON store_orders (id) WHERE status IN ('PENDING', 'PROCESSING');
CREATE INDEX store_orders_by_completion ON store_orders (updated_at) WHERE status = 'COMPLETED';
