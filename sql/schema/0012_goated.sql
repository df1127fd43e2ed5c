-- The trigrams of a name, for a search that finds what stands in the midst of it: each three characters of it, and two
-- blanks before and one behind. A function of our own, because no server needs an extension for it then.
CREATE FUNCTION trigrams(name text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
-- Not in SQL, which takes ten times as long for it.
DECLARE
    padded CONSTANT text := '  ' || lower(name) || ' ';
    found text[] := '{}';
BEGIN
    FOR place IN 1 .. length(padded) - 2 LOOP
        found := array_append(found, substr(padded, place, 3));
    END LOOP;
    RETURN found;
END $$;

-- The people of the affiliate program at Goated. One row per person who was ever on its leaderboard.

CREATE TABLE goated_members (
    -- What Goated calls the person; a text of its own, and no number.
    uid        text        PRIMARY KEY CHECK (char_length(uid) BETWEEN 1 AND 64),
    name       text        NOT NULL CHECK (char_length(name) <= 200),
    first_seen timestamptz NOT NULL DEFAULT now(),
    -- When the leaderboard was first without the person; null while it has him.
    gone_at    timestamptz,
    trigrams   text[]      NOT NULL GENERATED ALWAYS AS (trigrams(name)) STORED
);

CREATE INDEX goated_members_by_trigrams ON goated_members USING gin (trigrams);
-- Of texts that sort by their characters, a search for what a name begins with is a range.
CREATE INDEX goated_members_by_name ON goated_members (lower(name) COLLATE "C", uid COLLATE "C");

-- What they have wagered, with all the digits that Goated tells. A table of its own, because it changes all the time;
-- it is the leaderboard, so who is gone has no row here.

CREATE TABLE goated_wagers (
    uid        text        PRIMARY KEY REFERENCES goated_members,
    today      numeric     NOT NULL,
    this_week  numeric     NOT NULL,
    this_month numeric     NOT NULL,
    all_time   numeric     NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- One for each order of the leaderboard. Of equal amounts the lesser uid stands first, whatever the collation.
CREATE INDEX goated_wagers_by_day ON goated_wagers (today DESC, uid COLLATE "C");
CREATE INDEX goated_wagers_by_week ON goated_wagers (this_week DESC, uid COLLATE "C");
CREATE INDEX goated_wagers_by_month ON goated_wagers (this_month DESC, uid COLLATE "C");
CREATE INDEX goated_wagers_all_time ON goated_wagers (all_time DESC, uid COLLATE "C");

-- What is known of the leaderboard as a whole: one row.

CREATE TABLE goated_board (
    is_one     boolean     PRIMARY KEY DEFAULT true CHECK (is_one),
    -- Counts its changes; whoever watches goes by it.
    version    bigint      NOT NULL DEFAULT 0,
    -- When Goated last answered as it should, and when that was something new.
    fetched_at timestamptz,
    changed_at timestamptz,
    etag       text        NOT NULL DEFAULT '' CHECK (char_length(etag) <= 256),
    -- SHA-256 of the body, for servers that send the same again.
    digest     bytea       CHECK (octet_length(digest) = 32),
    people     bigint      NOT NULL DEFAULT 0,
    today      numeric     NOT NULL DEFAULT 0,
    this_week  numeric     NOT NULL DEFAULT 0,
    this_month numeric     NOT NULL DEFAULT 0,
    all_time   numeric     NOT NULL DEFAULT 0
);

INSERT INTO goated_board DEFAULT VALUES;

-- Fetches of the leaderboard, and what came of each.

CREATE TABLE goated_syncs (
    id           uuid        PRIMARY KEY,
    began_at     timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    outcome      text        CHECK (outcome IN ('changed', 'unchanged', 'not_modified', 'failed')),
    -- Which of the forms it came in.
    shape        text        CHECK (char_length(shape) <= 64),
    bytes        bigint,
    people       bigint,
    changed_rows bigint,
    bad_rows     bigint,
    -- The race that this fetch has ended, because the counters of the month had begun anew.
    ended_race   text,
    code         text,
    message      text        CHECK (char_length(message) <= 500),
    CONSTRAINT ended_has_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL))
);

CREATE INDEX goated_syncs_by_begin ON goated_syncs (began_at DESC);

-- Races: one per month. What a race was is what was stored of it.

CREATE TABLE goated_races (
    -- The month, as 202504.
    id                text        PRIMARY KEY CHECK (id ~ '^[0-9]{6}$'),
    starts_at         timestamptz NOT NULL,
    ends_at           timestamptz NOT NULL,
    prize_pool        numeric     NOT NULL CHECK (prize_pool >= 0),
    shares            numeric[]   NOT NULL,
    -- live: it goes on. transition: its time is over, and the last figures are awaited. completed: its standings are.
    status            text        NOT NULL CHECK (status IN ('live', 'transition', 'completed')),
    total_wagered     numeric,
    participant_count bigint,
    -- When the figures were fetched that its standings are made of, and why it was completed then.
    snapshot_at       timestamptz,
    completed_at      timestamptz,
    completed_by      text        CHECK (completed_by IN ('reset', 'time')),
    CONSTRAINT starts_before_end CHECK (starts_at < ends_at),
    CONSTRAINT completed_has_figures CHECK (
        status <> 'completed'
        OR num_nulls(total_wagered, participant_count, snapshot_at, completed_at, completed_by) = 0
    )
);

CREATE UNIQUE INDEX goated_races_one_at_a_time ON goated_races ((true)) WHERE status <> 'completed';
CREATE INDEX goated_races_by_end ON goated_races (ends_at DESC) WHERE status = 'completed';

-- The standings of races that are over. One row per participant.

CREATE TABLE goated_standings (
    race_id  text    NOT NULL REFERENCES goated_races ON DELETE CASCADE,
    position bigint  NOT NULL CHECK (position > 0),
    uid      text    NOT NULL,
    name     text    NOT NULL,
    wagered  numeric NOT NULL,
    prize    numeric NOT NULL DEFAULT 0 CHECK (prize >= 0),
    PRIMARY KEY (race_id, position)
);

CREATE UNIQUE INDEX goated_standings_once ON goated_standings (race_id, uid);

-- Who of our users is who at Goated: asked for by the user, confirmed by an administrator.

CREATE TABLE goated_verifications (
    id           uuid        PRIMARY KEY,
    user_id      text        NOT NULL REFERENCES users ON DELETE CASCADE,
    uid          text        NOT NULL REFERENCES goated_members,
    status       text        NOT NULL DEFAULT 'pending'
                             CHECK (status IN ('pending', 'verified', 'rejected', 'expired')),
    requested_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    decided_at   timestamptz,
    -- The administrator, or `operator` for whoever has the key.
    decided_by   text,
    reason       text        CHECK (char_length(reason) <= 500),
    CONSTRAINT decided_has_time CHECK ((status IN ('verified', 'rejected')) = (decided_at IS NOT NULL))
);

-- One request per user at a time; one user per person, and one person per user.
CREATE UNIQUE INDEX goated_verifications_one_pending ON goated_verifications (user_id) WHERE status = 'pending';
CREATE UNIQUE INDEX goated_verifications_one_user ON goated_verifications (uid) WHERE status = 'verified';
CREATE UNIQUE INDEX goated_verifications_one_person ON goated_verifications (user_id) WHERE status = 'verified';
CREATE INDEX goated_verifications_by_user ON goated_verifications (user_id, requested_at DESC);
CREATE INDEX goated_verifications_pending ON goated_verifications (expires_at) WHERE status = 'pending';
