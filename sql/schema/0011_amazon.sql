-- Accounts at Amazon. One row per user who has ever connected one.

CREATE TABLE amazon_accounts (
    user_id        text        PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    status         text        NOT NULL CHECK (status IN ('connected', 'disconnected', 'revoked')),
    -- What Amazon calls the seller.
    seller_id      text        NOT NULL CHECK (char_length(seller_id) BETWEEN 1 AND 64),
    marketplace_id text        NOT NULL CHECK (char_length(marketplace_id) BETWEEN 1 AND 32),
    -- The refresh token, sealed by the vault for this user.
    sealed_token   bytea       CHECK (octet_length(sealed_token) BETWEEN 1 AND 8192),
    connected_at   timestamptz NOT NULL DEFAULT now(),
    -- When it was disconnected, or Amazon took back what the seller had allowed.
    ended_at       timestamptz,
    -- Up to when everything that Amazon tells has been read; the next sync goes on there. Null: nothing yet.
    claims_until   timestamptz,
    orders_until   timestamptz,
    CONSTRAINT connected_has_token CHECK ((status = 'connected') = (sealed_token IS NOT NULL)),
    CONSTRAINT connected_has_not_ended CHECK ((status = 'connected') = (ended_at IS NULL))
);

-- Sellers who are on their way to Amazon's page of consent and back.

CREATE TABLE amazon_consents (
    -- SHA-256 of the state in the URL; the state itself is kept nowhere.
    digest     bytea       PRIMARY KEY CHECK (octet_length(digest) = 32),
    user_id    text        NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);

CREATE INDEX amazon_consents_by_user ON amazon_consents (user_id);
CREATE INDEX amazon_consents_by_expiry ON amazon_consents (expires_at);

-- Syncs, with what is told of them, and where they stand.

CREATE TABLE sync_progress (
    id           uuid         PRIMARY KEY,
    sync_id      varchar(255) NOT NULL,
    user_id      text         NOT NULL REFERENCES users ON DELETE CASCADE,
    status       varchar(50)  NOT NULL DEFAULT 'running'
                              CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
    progress     integer      NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    current_step text         NOT NULL CHECK (char_length(current_step) BETWEEN 1 AND 500),
    step         integer      NOT NULL DEFAULT 0 CHECK (step BETWEEN 0 AND total_steps),
    total_steps  integer      NOT NULL DEFAULT 5,
    -- Counts, results of the single parts, and the error.
    metadata     jsonb        NOT NULL DEFAULT '{}',
    created_at   timestamptz  NOT NULL DEFAULT now(),
    updated_at   timestamptz  NOT NULL DEFAULT now(),
    completed_at timestamptz,
    -- The end of what is read: the same for all of its pages.
    until        timestamptz  NOT NULL,
    -- Where it stands; committed with what it has written until there.
    cursor       jsonb        NOT NULL DEFAULT '{}',
    -- Parts of it that are done. Who finds another number than he has seen has come too late.
    steps        bigint       NOT NULL DEFAULT 0,
    -- Passing faults in a row, and how often it was taken up again after it had been left lying.
    faults       integer      NOT NULL DEFAULT 0,
    resumed      integer      NOT NULL DEFAULT 0,
    -- Until when it waits for a turn of Amazon's rate; null where it does not.
    waits_until  timestamptz,
    UNIQUE (user_id, sync_id),
    CONSTRAINT ended_has_time CHECK ((status = 'running') = (completed_at IS NULL)),
    CONSTRAINT completed_is_whole CHECK (status <> 'completed' OR progress = 100)
);

-- The lock: one sync per user at a time.
CREATE UNIQUE INDEX sync_progress_one_running ON sync_progress (user_id) WHERE status = 'running';
CREATE INDEX sync_progress_by_user ON sync_progress (user_id, created_at DESC);
CREATE INDEX sync_progress_running ON sync_progress (updated_at) WHERE status = 'running';
CREATE INDEX sync_progress_by_end ON sync_progress (completed_at) WHERE status <> 'running';

-- Numbers of passes: one reading of a part, from its first page to its last.

CREATE SEQUENCE amazon_passes AS bigint;

-- Claims: money that Amazon gave back or took back. Money has all of its digits, whatever the currency.

CREATE TABLE amazon_claims (
    id            uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    claim_id      varchar(255) NOT NULL,
    user_id       text         NOT NULL REFERENCES users ON DELETE CASCADE,
    order_id      varchar(255),
    amount        numeric      NOT NULL CHECK (abs(amount) < 1e15),
    currency      varchar(10)  NOT NULL,
    status        varchar(50)  CHECK (status IN ('approved', 'pending', 'denied')),
    type          varchar(100) NOT NULL,
    description   text         CHECK (char_length(description) <= 2000),
    -- When Amazon posted it.
    created_at    timestamptz,
    synced_at     timestamptz  NOT NULL DEFAULT now(),
    is_mock       boolean      NOT NULL DEFAULT false,
    mock_scenario varchar(100),
    -- What it says, and in which pass it was seen last. Amazon gives most events no id, and some are alike in
    -- everything; they are told apart by how many of them one pass has seen.
    fingerprint   bytea        NOT NULL CHECK (octet_length(fingerprint) = 32),
    seen_pass     bigint       NOT NULL,
    -- The version of Amazon's API that has told of it: another one tells of the same event by another id.
    api           varchar(20)  NOT NULL,
    UNIQUE (user_id, claim_id)
);

CREATE INDEX amazon_claims_by_time ON amazon_claims (user_id, coalesce(created_at, '-infinity') DESC, claim_id DESC);
CREATE INDEX amazon_claims_alike ON amazon_claims (user_id, fingerprint);
CREATE INDEX amazon_claims_by_order ON amazon_claims (user_id, order_id) WHERE order_id IS NOT NULL;

-- Inventory at Amazon. A number that Amazon did not tell is null.

CREATE TABLE amazon_inventory (
    id                 uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id            text         NOT NULL REFERENCES users ON DELETE CASCADE,
    sku                varchar(255) NOT NULL,
    asin               varchar(255),
    fnsku              varchar(255),
    product_name       varchar(500),
    quantity_available integer,
    quantity_reserved  integer,
    quantity_inbound   integer,
    quantity_total     integer,
    condition          varchar(50),
    -- Amazon's API does not tell it.
    warehouse_location varchar(255),
    synced_at          timestamptz  NOT NULL DEFAULT now(),
    is_mock            boolean      NOT NULL DEFAULT false,
    mock_scenario      varchar(100),
    -- The pass that has seen it last: what a whole pass does not see is gone.
    seen_pass          bigint       NOT NULL,
    UNIQUE (user_id, sku)
);

CREATE INDEX amazon_inventory_by_asin ON amazon_inventory (user_id, asin) WHERE asin IS NOT NULL;

-- Orders at Amazon.

CREATE TABLE amazon_orders (
    id                  uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id             text         NOT NULL REFERENCES users ON DELETE CASCADE,
    order_id            varchar(64)  NOT NULL,
    purchased_at        timestamptz,
    last_updated_at     timestamptz,
    status              varchar(50),
    -- FBA or FBM, or whatever Amazon says beside them.
    fulfillment_channel varchar(50),
    marketplace_id      varchar(32),
    total               numeric      CHECK (abs(total) < 1e15),
    currency            varchar(10),
    items_shipped       integer,
    items_unshipped     integer,
    -- What was ordered, an array; null where nobody has asked for it yet.
    items               jsonb,
    synced_at           timestamptz  NOT NULL DEFAULT now(),
    is_mock             boolean      NOT NULL DEFAULT false,
    mock_scenario       varchar(100),
    UNIQUE (user_id, order_id)
);

CREATE INDEX amazon_orders_by_time ON amazon_orders (user_id, coalesce(purchased_at, '-infinity') DESC, order_id DESC);
-- The newest of those whose items nobody has asked for.
CREATE INDEX amazon_orders_without_items ON amazon_orders (user_id, purchased_at DESC NULLS LAST) WHERE items IS NULL;
