-- Queries of the command bus: what every worker needs to handle a command exactly once, in alphabetical order.

-- name: begin_command
-- Notes that a command is being handled; no row when it was handled before. Waits for whoever handles it just now.
-- $1 command id uuid
INSERT INTO handled_commands (command_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING true;

-- name: find_reply
-- What came of a command that was handled.
-- $1 command id uuid
SELECT reply, stale FROM handled_commands WHERE command_id = $1;

-- name: keep_reply
-- Keeps what came of a command.
-- $1 command id uuid, $2 reply bytea, $3 patterns of stale caches text[]
UPDATE handled_commands SET reply = $2, stale = $3 WHERE command_id = $1;

-- name: leave_command
-- Leaves a command in the outbox; one that waits already stays as it is. DO NOTHING would not do: a command that is
-- just leaving still has its row, which is deleted after it was looked at. An update waits for whoever deletes it.
-- $1 command id uuid, $2 worker text, $3 command bytea, $4 seconds until it is due double precision
WITH left_there AS (
    INSERT INTO outbox (command_id, worker, command, due_at)
    VALUES ($1, $2, $3, now() + make_interval(secs => $4))
    ON CONFLICT (command_id) DO UPDATE SET due_at = outbox.due_at
)
SELECT pg_notify('outbox', '');
