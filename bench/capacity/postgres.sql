-- What the costs of an order in Postgres are read from.
SELECT (SELECT count(*) FROM orders) AS orders,
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS wal,
    pg_total_relation_size('orders') AS size;
