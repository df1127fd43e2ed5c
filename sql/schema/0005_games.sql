-- Games. One row per game of the store. One that is no longer sold keeps its row, and is not active: orders and carts
-- may still name it.

CREATE TABLE games (
    id             text          PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9._-]{1,64}$'),
    title          text          NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    description    text          NOT NULL DEFAULT '' CHECK (char_length(description) <= 10000),
    -- Empty where nobody has said it.
    genre          text          NOT NULL DEFAULT '' CHECK (char_length(genre) <= 64),
    platform       text          NOT NULL DEFAULT '' CHECK (char_length(platform) <= 64),
    -- A URL; empty where there is no picture.
    image          text          NOT NULL DEFAULT '' CHECK (char_length(image) <= 2048),
    price          numeric(12,2) NOT NULL CHECK (price >= 0),
    -- What it cost before; null where the price was not reduced.
    old_price      numeric(12,2) CHECK (old_price >= 0),
    stock          bigint        NOT NULL DEFAULT 0 CHECK (stock >= 0),
    active         boolean       NOT NULL DEFAULT true,
    -- Units of orders that stand; what is popular is sorted by it.
    sold           bigint        NOT NULL DEFAULT 0 CHECK (sold >= 0),
    released_on    date,
    -- The product at the upstream whose keys this game sells.
    g2a_product_id text          CHECK (char_length(g2a_product_id) BETWEEN 1 AND 64),
    created_at     timestamptz   NOT NULL DEFAULT now(),
    updated_at     timestamptz   NOT NULL DEFAULT now(),
    -- What a search looks in: the words of title, genre and platform. Punctuation is taken out first, because Postgres
    -- would make one word of "3.5" or "half-life.com" that its parts do not find.
    words          tsvector      NOT NULL GENERATED ALWAYS AS (
        to_tsvector('simple', translate(title || ' ' || genre || ' ' || platform,
            '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32)))
    ) STORED
);

CREATE UNIQUE INDEX games_by_g2a_product ON games (g2a_product_id);
CREATE INDEX games_by_words ON games USING gin (words);
CREATE INDEX games_by_genre ON games (lower(genre));
CREATE INDEX games_by_platform ON games (lower(platform));
-- One for each order that the catalogue is sorted in. The id makes it total, so that no page repeats another.
CREATE INDEX games_by_price ON games (price, id) WHERE active;
CREATE INDEX games_by_title ON games (lower(title), id) WHERE active;
CREATE INDEX games_by_release ON games (released_on DESC NULLS LAST, id) WHERE active;
CREATE INDEX games_by_sold ON games (sold DESC, id) WHERE active;
-- Games whose price was reduced, those first that were reduced most.
CREATE INDEX games_by_reduction ON games ((1 - price / old_price) DESC, id) WHERE active AND old_price > price;

-- The active games that a search wants: all words of a tsquery, a genre, a platform, those in stock; null wants any.
-- A function, so that each order of the catalogue is a short query of its own; Postgres puts its body into the query.
CREATE FUNCTION matching_games(wanted text, of_genre text, on_platform text, in_stock boolean) RETURNS SETOF games
LANGUAGE sql STABLE AS $$
    SELECT * FROM games
    WHERE active
        AND (wanted IS NULL OR words @@ to_tsquery('simple', wanted))
        AND (of_genre IS NULL OR lower(genre) = lower(of_genre))
        AND (on_platform IS NULL OR lower(platform) = lower(on_platform))
        AND (in_stock IS NULL OR (stock > 0) = in_stock)
$$;

-- Promo codes. One row per code; what it takes off a subtotal, from when until when, and how often.

CREATE TABLE promo_codes (
    code        text          PRIMARY KEY CHECK (code ~ '^[A-Za-z0-9_-]{1,32}$'),
    -- A share of the subtotal, or an amount; exactly one of them.
    percent     numeric(5,2)  CHECK (percent > 0 AND percent <= 100),
    amount      numeric(12,2) CHECK (amount > 0),
    valid_from  timestamptz   NOT NULL DEFAULT now(),
    -- Null: for ever.
    valid_until timestamptz,
    -- Null: any number of times.
    uses_max    bigint        CHECK (uses_max >= 0),
    -- Orders that stand and were made with it.
    used        bigint        NOT NULL DEFAULT 0 CHECK (used >= 0),
    CONSTRAINT takes_percent_or_amount CHECK (num_nonnulls(percent, amount) = 1),
    CONSTRAINT ends_after_it_begins CHECK (valid_until IS NULL OR valid_until > valid_from),
    CONSTRAINT used_within_bounds CHECK (uses_max IS NULL OR used <= uses_max)
);
