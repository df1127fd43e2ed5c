-- Queries of the catalogue, in alphabetical order. A search is words as a tsquery, a genre, a platform, and whether in
-- stock; null wants any.

-- name: bestsellers
-- The games that sell best.
-- $1 rows at most bigint
SELECT id, title, genre, platform, image, price, old_price, stock, released_on
FROM games WHERE active AND sold > 0 ORDER BY sold DESC, id LIMIT $1;

-- name: count_matches
-- How many games a search finds; it stops counting at $5.
-- $1 words text, $2 genre text, $3 platform text, $4 in stock boolean, $5 rows at most bigint
SELECT count(*) FROM (SELECT FROM matching_games($1, $2, $3, $4) LIMIT $5) AS found;

-- name: deals
-- The games whose price was reduced, those first that were reduced most.
-- $1 rows at most bigint
SELECT id, title, genre, platform, image, price, old_price, stock, released_on
FROM games WHERE active AND old_price > price ORDER BY (1 - price / old_price) DESC, id LIMIT $1;

-- name: find_game
-- One game that is for sale, with its labels of each kind.
-- $1 game text
SELECT g.id, g.title, g.description, g.genre, g.platform, g.image, g.price, g.old_price, g.stock, g.released_on,
    l.categories, l.genres, l.platforms
FROM games AS g CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(name ORDER BY name) FILTER (WHERE kind = 'category'), '{}') AS categories,
        coalesce(array_agg(name ORDER BY name) FILTER (WHERE kind = 'genre'), '{}') AS genres,
        coalesce(array_agg(name ORDER BY name) FILTER (WHERE kind = 'platform'), '{}') AS platforms
    FROM game_labels JOIN labels ON labels.id = label_id WHERE game_id = g.id
) AS l
WHERE g.id = $1 AND g.active;

-- name: new
-- The games that came out last; those that are yet to come are not new.
-- $1 rows at most bigint
SELECT id, title, genre, platform, image, price, old_price, stock, released_on
FROM games WHERE active AND released_on <= current_date ORDER BY released_on DESC NULLS LAST, id LIMIT $1;

-- name: plan_for_these_values
-- Has the searches of this transaction planned for what they look for: a plan for any value could use no index.
SET LOCAL plan_cache_mode = force_custom_plan;

-- name: put_game
-- Writes a game, new or anew. What it has sold, and which product its keys come from, stays.
-- $1 game text, $2 title text, $3 description text, $4 genre text, $5 platform text, $6 image text, $7 price numeric,
-- $8 price before numeric, $9 stock bigint, $10 active boolean, $11 released date
INSERT INTO games (id, title, description, genre, platform, image, price, old_price, stock, active, released_on)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (id) DO UPDATE SET (title, description, genre, platform, image, price, old_price, stock, active,
    released_on, updated_at) = (excluded.title, excluded.description, excluded.genre, excluded.platform,
    excluded.image, excluded.price, excluded.old_price, excluded.stock, excluded.active, excluded.released_on, now())
RETURNING id, title, description, genre, platform, image, price, old_price, stock, released_on, active;

-- name: search_by_dearest
-- A page of a search, the highest price first.
-- $1 words text, $2 genre text, $3 platform text, $4 in stock boolean, $5 rows bigint, $6 rows before them bigint
SELECT id, title, genre, platform, image, price, old_price, stock, released_on
FROM matching_games($1, $2, $3, $4) ORDER BY price DESC, id DESC LIMIT $5 OFFSET $6;

-- name: search_by_popularity
-- A page of a search, what sells best first.
-- $1 words text, $2 genre text, $3 platform text, $4 in stock boolean, $5 rows bigint, $6 rows before them bigint
SELECT id, title, genre, platform, image, price, old_price, stock, released_on
FROM matching_games($1, $2, $3, $4) ORDER BY sold DESC, id LIMIT $5 OFFSET $6;

-- name: search_by_price
-- A page of a search, the lowest price first.
-- $1 words text, $2 genre text, $3 platform text, $4 in stock boolean, $5 rows bigint, $6 rows before them bigint
SELECT id, title, genre, platform, image, price, old_price, stock, released_on
FROM matching_games($1, $2, $3, $4) ORDER BY price, id LIMIT $5 OFFSET $6;

-- name: search_by_release
-- A page of a search, the latest release first.
-- $1 words text, $2 genre text, $3 platform text, $4 in stock boolean, $5 rows bigint, $6 rows before them bigint
SELECT id, title, genre, platform, image, price, old_price, stock, released_on
FROM matching_games($1, $2, $3, $4) ORDER BY released_on DESC NULLS LAST, id LIMIT $5 OFFSET $6;

-- name: search_by_title
-- A page of a search, by title.
-- $1 words text, $2 genre text, $3 platform text, $4 in stock boolean, $5 rows bigint, $6 rows before them bigint
SELECT id, title, genre, platform, image, price, old_price, stock, released_on
FROM matching_games($1, $2, $3, $4) ORDER BY lower(title), id LIMIT $5 OFFSET $6;
