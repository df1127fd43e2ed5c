-- What may become of a store order, each status with what can follow it, and where its money is.

CREATE TYPE store_order_status AS ENUM (
    'PENDING',     -- written, not paid; becomes PROCESSING, FAILED or CANCELLED
    'PROCESSING',  -- paid, its keys are being bought; becomes COMPLETED, FAILED, CANCELLED or REFUNDED
    'COMPLETED',   -- paid, its keys are there; becomes REFUNDED
    'FAILED',      -- it cannot be had, for a reason; becomes REFUNDED where it had been paid
    'CANCELLED',   -- given up by its buyer before its keys were bought, the money given back; final
    'REFUNDED'     -- paid, then the money given back; final
);

-- Store orders. One row per order of games; those that began in a flash sale have the id of the order there.

CREATE TABLE store_orders (
    id                uuid               PRIMARY KEY,
    user_id           text               NOT NULL REFERENCES users (id),
    status            store_order_status NOT NULL DEFAULT 'PENDING',
    -- Wide enough for any price times any quantity: what nobody can pay is refused, and is no fault.
    subtotal          numeric(24,2)      NOT NULL CHECK (subtotal >= 0),
    discount          numeric(24,2)      NOT NULL DEFAULT 0 CHECK (discount BETWEEN 0 AND subtotal),
    total             numeric(24,2)      NOT NULL,
    promo_code        text               REFERENCES promo_codes (code),
    -- Whether its units came out of a flash sale, and not out of the stock of the games.
    from_sale         boolean            NOT NULL DEFAULT false,
    -- What its buyer repeats it with; a flash sale has keys of its own.
    idempotency_key   text               CHECK (char_length(idempotency_key) BETWEEN 1 AND 255),
    -- Why it failed.
    reason            text               CHECK (char_length(reason) <= 200),
    -- When the purchase of its keys began: from then on its buyer cannot cancel it.
    purchase_began_at timestamptz,
    created_at        timestamptz        NOT NULL DEFAULT now(),
    updated_at        timestamptz        NOT NULL DEFAULT now(),
    CONSTRAINT total_adds_up CHECK (total = subtotal - discount),
    CONSTRAINT key_unless_from_sale CHECK (from_sale = (idempotency_key IS NULL)),
    CONSTRAINT failed_has_reason CHECK (status <> 'FAILED' OR reason IS NOT NULL),
    CONSTRAINT bought_only_when_paid CHECK (purchase_began_at IS NULL OR status NOT IN ('PENDING', 'CANCELLED'))
);

-- The fence against ordering twice: one order per buyer and key, for ever.
CREATE UNIQUE INDEX store_orders_one_per_key ON store_orders (user_id, idempotency_key);
-- Ids begin with the time, so the newest orders of a user have the greatest.
CREATE INDEX store_orders_of_user ON store_orders (user_id, id DESC);

CREATE FUNCTION check_store_order_status() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    lawful boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        lawful := NEW.status = 'PENDING';
    ELSE
        lawful := NEW.status = OLD.status OR (OLD.status, NEW.status) IN (
            ('PENDING', 'PROCESSING'), ('PENDING', 'FAILED'), ('PENDING', 'CANCELLED'),
            ('PROCESSING', 'COMPLETED'), ('PROCESSING', 'FAILED'), ('PROCESSING', 'CANCELLED'),
            ('PROCESSING', 'REFUNDED'), ('COMPLETED', 'REFUNDED'), ('FAILED', 'REFUNDED')
        );
    END IF;
    IF NOT lawful THEN
        RAISE EXCEPTION 'the store order % cannot become %', NEW.id, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER store_order_status BEFORE INSERT OR UPDATE OF status ON store_orders
FOR EACH ROW EXECUTE FUNCTION check_store_order_status();

-- Items. One row per game of a store order, at the price of that moment.

CREATE TABLE store_order_items (
    order_id uuid          NOT NULL REFERENCES store_orders (id),
    game_id  text          NOT NULL REFERENCES games (id),
    quantity bigint        NOT NULL CHECK (quantity BETWEEN 1 AND 1000000000),
    price    numeric(12,2) NOT NULL CHECK (price >= 0),
    PRIMARY KEY (order_id, game_id)
);

-- Ledger. One row per change of a balance, never altered: what a user has is the sum of his rows.

CREATE TABLE ledger (
    id       bigint        PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    user_id  text          NOT NULL REFERENCES users (id),
    -- What is added to the balance; negative where it is taken.
    amount   numeric(12,2) NOT NULL,
    kind     text          NOT NULL CHECK (kind IN ('deposit', 'purchase', 'refund')),
    order_id uuid          REFERENCES store_orders (id),
    at       timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT sign_of_kind CHECK (CASE kind WHEN 'purchase' THEN amount <= 0 ELSE amount >= 0 END),
    CONSTRAINT order_unless_deposit CHECK ((kind = 'deposit') = (order_id IS NULL))
);

-- An order is paid once, and its money comes back once.
CREATE UNIQUE INDEX ledger_once_per_order ON ledger (order_id, kind) WHERE order_id IS NOT NULL;
CREATE INDEX ledger_of_user ON ledger (user_id, id);
