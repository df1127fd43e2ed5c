-- Queries of the outbox, in alphabetical order.

-- name: claim_due
-- Locks the commands of a worker that have been due for longest, and passes over those that another process has.
-- $1 worker text, $2 rows at most bigint
SELECT command_id, command FROM outbox WHERE worker = $1 AND due_at <= now()
ORDER BY due_at, command_id LIMIT $2 FOR UPDATE SKIP LOCKED;

-- name: delete_sent
-- Deletes commands that are in the stream of their worker.
-- $1 command ids uuid[]
DELETE FROM outbox WHERE command_id = ANY($1::uuid[]);

-- name: read_next_due
-- In how many seconds each worker's next command is due; negative where it is late. Who has none is left out.
-- $1 workers text[]
SELECT w.worker, extract(epoch FROM o.due_at - clock_timestamp())::double precision AS due_in_s
FROM unnest($1::text[]) AS w (worker)
CROSS JOIN LATERAL (SELECT due_at FROM outbox WHERE outbox.worker = w.worker ORDER BY due_at LIMIT 1) AS o;

-- name: read_waiting
-- What waits for each worker: commands that are due, those that are due later, seconds that the oldest is late, and
-- commands that have been tried before: only these have the field, and an operator's slip in a row must not end this.
SELECT worker,
    count(*) FILTER (WHERE due_at <= now()) AS due,
    count(*) FILTER (WHERE due_at > now()) AS later,
    greatest(0, extract(epoch FROM now() - min(due_at)))::double precision AS late_s,
    count(*) FILTER (WHERE position('"attempt":'::bytea IN command) > 0) AS again
FROM outbox GROUP BY worker ORDER BY worker;
