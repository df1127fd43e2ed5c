-- Sales. One row per product and sale epoch: opening a sale anew makes a new epoch, and closes the books of the one
-- before.

CREATE TABLE sales (
    product_id   text        NOT NULL CHECK (char_length(product_id) BETWEEN 1 AND 128),
    -- Microseconds since 1970 by the clock of Redis when the sale was opened; unique and ascending for a product.
    epoch        bigint      NOT NULL CHECK (epoch > 0),
    total        bigint      NOT NULL CHECK (total >= 0),
    -- Units that one buyer may have; 0: any number.
    max_per_user bigint      NOT NULL CHECK (max_per_user >= 0),
    -- Units of live orders. The second fence against overselling: Redis decides, this enforces.
    sold         bigint      NOT NULL DEFAULT 0 CHECK (sold >= 0 AND sold <= total),
    opened_at    timestamptz NOT NULL,
    PRIMARY KEY (product_id, epoch)
);

-- Closings. The books that Redis had of a sale when the next epoch of its product was opened; no row while it runs.
-- A table of its own, because the message that closes an epoch may come before the one that opened it.

CREATE TABLE sale_closings (
    product_id text   NOT NULL CHECK (char_length(product_id) BETWEEN 1 AND 128),
    epoch      bigint NOT NULL CHECK (epoch > 0),
    -- Units that were left; -1 when Redis had lost the stock, so that nobody knows.
    closed_left     bigint NOT NULL CHECK (closed_left >= -1),
    closed_returned bigint NOT NULL CHECK (closed_returned >= 0),
    PRIMARY KEY (product_id, epoch)
);
