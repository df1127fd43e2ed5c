-- What may become of a purchase at G2A, each state with what can follow it.

CREATE TYPE g2a_purchase_state AS ENUM (
    'intended',    -- written down, and not paid; becomes calling or failed
    'calling',     -- a worker is paying, or died over it; becomes what G2A says, or intended where it knows of none
    'pending',     -- made, the keys are not there yet; becomes collecting, delivered, failed or lost
    'collecting',  -- a worker fetches keys that are given out once, or died over it; becomes delivered, lost or pending
    'delivered',   -- its keys lie in g2a_keys, perhaps fewer than were wanted; final
    'failed',      -- G2A has not sold it, and nothing was paid for it; final
    'lost'         -- it may have been paid, and its keys will not come; somebody has to speak with G2A; final
);

-- Purchases. One row per order that is made, or to be made, at G2A: units of one game of a store order.

CREATE TABLE g2a_purchases (
    -- What G2A knows it by (its reference there), made of the order, the game and the number, so that it is one.
    id          uuid               PRIMARY KEY,
    order_id    uuid               NOT NULL REFERENCES store_orders (id),
    game_id     text               NOT NULL REFERENCES games (id),
    -- Of the order's purchases of this game, from 1; one order at G2A takes a limited number of units.
    number      integer            NOT NULL CHECK (number BETWEEN 1 AND 1000),
    -- 1, and one more for those that fetch what the round before was short of.
    round       smallint           NOT NULL DEFAULT 1 CHECK (round BETWEEN 1 AND 10),
    product_id  text               NOT NULL CHECK (char_length(product_id) BETWEEN 1 AND 64),
    quantity    bigint             NOT NULL CHECK (quantity BETWEEN 1 AND 1000000000),
    -- What one unit may cost there, at most: what its buyer has paid.
    price_max   numeric(12,2)      NOT NULL CHECK (price_max >= 0),
    state       g2a_purchase_state NOT NULL DEFAULT 'intended',
    -- The order at G2A, as soon as it is known; empty before.
    upstream_id text               NOT NULL DEFAULT '' CHECK (char_length(upstream_id) <= 64),
    -- When its units were reserved there, where they were: a reservation lapses.
    reserved_at timestamptz,
    -- When a worker last began to pay or to fetch: what others hold against it, and what they wait for.
    called_at   timestamptz,
    -- Why it failed or was lost, beginning with a code of G2A's contract.
    reason      text               CHECK (char_length(reason) <= 200),
    created_at  timestamptz        NOT NULL DEFAULT now(),
    changed_at  timestamptz        NOT NULL DEFAULT now(),
    UNIQUE (order_id, game_id, number),
    CONSTRAINT called_when_at_it CHECK (called_at IS NOT NULL OR state NOT IN ('calling', 'collecting')),
    CONSTRAINT ended_badly_for_a_reason CHECK (state NOT IN ('failed', 'lost') OR reason IS NOT NULL)
);

-- No two purchases take the keys of one order at G2A.
CREATE UNIQUE INDEX g2a_purchases_by_upstream ON g2a_purchases (upstream_id) WHERE upstream_id <> '';

CREATE FUNCTION check_g2a_purchase_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('intended', 'calling'), ('intended', 'failed'),
        ('calling', 'intended'), ('calling', 'pending'), ('calling', 'delivered'), ('calling', 'failed'),
        ('calling', 'lost'),
        ('pending', 'collecting'), ('pending', 'delivered'), ('pending', 'failed'), ('pending', 'lost'),
        ('collecting', 'pending'), ('collecting', 'delivered'), ('collecting', 'lost')
    ) THEN
        RAISE EXCEPTION 'the purchase % cannot become %', NEW.id, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER g2a_purchase_state BEFORE UPDATE OF state ON g2a_purchases
FOR EACH ROW EXECUTE FUNCTION check_g2a_purchase_state();

-- Keys. One row per key that G2A has delivered, sealed with a seed that only workers have.

CREATE TABLE g2a_keys (
    purchase_id uuid        NOT NULL REFERENCES g2a_purchases (id),
    -- Of the purchase's keys, from 1; those beyond its quantity belong to nobody.
    number      integer     NOT NULL CHECK (number >= 1),
    -- Which seed, then the key of the game under it; bound to the purchase and the number.
    sealed      bytea       NOT NULL CHECK (octet_length(sealed) <= 65536),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (purchase_id, number)
);
