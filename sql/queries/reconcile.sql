-- Queries of the reconciliation, in alphabetical order.

-- name: known_orders
-- Which of these orders have a row, and its state.
-- $1 order ids uuid[]
SELECT order_id, state::text AS state FROM orders WHERE order_id = ANY($1::uuid[]);

-- name: sale_books
-- Every sale with the units of its orders, as of one place in the outbox of each lane: later orders and cancellations
-- do not count. An order has its place in the lane that its id names; where there are fewer lanes by now, it counts, and
-- is cancelled in another. A sale that is closed already, and whose opening has still to come, has no total.
-- $1 places by lane: milliseconds bigint[], $2 places by lane: sequences bigint[]
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
            coalesce((place_ms, place_seq) <= (($1::bigint[])[lane + 1], ($2::bigint[])[lane + 1]), true) AS seen,
            (cancelled_place_ms, cancelled_place_seq) <= (
                ($1::bigint[])[lane % cardinality($1) + 1], ($2::bigint[])[lane % cardinality($1) + 1]
            ) AS seen_cancelled
        FROM (
            -- The 12 bits that contract/order_ids.py puts behind the version.
            SELECT *, (get_byte(uuid_send(order_id), 6) & 15) << 8 | get_byte(uuid_send(order_id), 7) AS lane
            FROM orders
        ) AS placed
    ) AS o
    GROUP BY o.product_id, o.epoch
) AS b USING (product_id, epoch)
ORDER BY product_id, epoch;
