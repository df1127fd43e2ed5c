-- Queries of the reconciliation, in alphabetical order.

-- name: known_orders
-- Which of these orders have a row, and its state.
-- $1 order ids uuid[]
SELECT order_id, state::text AS state FROM orders WHERE order_id = ANY($1::uuid[]);

-- name: sale_books
-- Every sale with the units of its orders. Of a sale that runs, as of one place in the outbox of its lane: later orders
-- and cancellations do not count. Of any other all count, for it takes no more orders, and a unit that is given back is
-- only called returned instead of sold. A sale that is closed, and whose opening has still to come, has no total.
-- $1 running sales: products text[], $2 their epochs bigint[]
-- $3 their places: milliseconds bigint[], $4 their places: sequences bigint[]
SELECT product_id, epoch, s.total, coalesce(s.sold, 0) AS sold_counter, c.closed_left, c.closed_returned,
    coalesce(b.orders, 0)::bigint AS orders,
    coalesce(b.units, 0)::bigint AS units,
    coalesce(b.cancelled, 0)::bigint AS cancelled,
    coalesce(b.failed, 0)::bigint AS failed,
    coalesce(b.oversold, 0)::bigint AS oversold,
    coalesce(b.sold_now, 0)::bigint AS sold_now
FROM sales AS s
FULL JOIN sale_closings AS c USING (product_id, epoch)
LEFT JOIN (
    SELECT o.product_id, o.epoch,
        count(*) FILTER (WHERE seen) AS orders,
        sum(o.quantity) FILTER (WHERE seen) AS units,
        sum(o.quantity) FILTER (WHERE seen AND o.state = 'cancelled' AND seen_cancelled) AS cancelled,
        sum(o.quantity) FILTER (WHERE seen AND o.state = 'failed' AND o.reason NOT LIKE 'oversold%') AS failed,
        sum(o.quantity) FILTER (WHERE seen AND o.state = 'failed' AND o.reason LIKE 'oversold%') AS oversold,
        sum(o.quantity) FILTER (WHERE o.state IN ('persisted', 'fulfilled')) AS sold_now
    FROM (
        SELECT *,
            coalesce((place_ms, place_seq) <= (ms, seq), true) AS seen,
            coalesce((cancelled_place_ms, cancelled_place_seq) <= (ms, seq), true) AS seen_cancelled
        FROM orders
        LEFT JOIN unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS running (product_id, epoch, ms, seq)
            USING (product_id, epoch)
    ) AS o
    GROUP BY o.product_id, o.epoch
) AS b USING (product_id, epoch)
ORDER BY product_id, epoch;
