-- Queries of `fluxgate doctor`, in alphabetical order.

-- name: read_durability
-- Whether a commit waits for the disk: on, or a mode that waits for less or for more.
SELECT current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync,
       current_setting('server_version') AS version;
