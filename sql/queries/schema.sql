-- Queries that apply the schema, in alphabetical order.

-- name: create_versions
-- The list of schema files that have been applied.
CREATE TABLE IF NOT EXISTS schema_versions (
    name       text        PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: find_versions
-- Whether there is a list of schema files yet.
SELECT to_regclass('schema_versions') IS NOT NULL;

-- name: lock_schema
-- Lets one process at a time apply the schema; held until the transaction ends.
SELECT pg_advisory_xact_lock(727874);

-- name: note_version
-- Notes that a schema file has been applied.
-- $1 file name text
INSERT INTO schema_versions (name) VALUES ($1);

-- name: read_versions
-- The files that have been applied.
SELECT name FROM schema_versions ORDER BY name;
