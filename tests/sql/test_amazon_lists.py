"""The lists of sellers among very many rows: a page costs a page, whatever else there is."""

import datetime
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from sql import load_queries

pytestmark = pytest.mark.slow

QUERIES = load_queries("amazon_lists")
LIMIT = 51
FILL = """
INSERT INTO users (id, email, password_hash, nickname)
SELECT 'user' || n, n || '@shop.example', 'none', 'Seller' FROM generate_series(0, 3) AS n;
INSERT INTO amazon_claims (claim_id, user_id, order_id, amount, currency, type, created_at, fingerprint, seen_pass, api)
SELECT 'c' || n, 'user' || n % 4, 'o' || n, n, 'USD', 'Refund', now() - n * interval '1 minute',
    decode(repeat('00', 32), 'hex'), 1, 'v0'
FROM generate_series(1, 40000) AS n;
INSERT INTO amazon_inventory (user_id, sku, asin, quantity_available, seen_pass)
SELECT 'user' || n % 4, 's' || n, 'B' || n, n % 10, 1 FROM generate_series(1, 40000) AS n;
INSERT INTO amazon_orders (user_id, order_id, purchased_at, status)
SELECT 'user' || n % 4, 'o' || n, now() - n * interval '1 minute', 'Shipped' FROM generate_series(1, 40000) AS n;
"""
DEEP = datetime.timedelta(minutes=20_000)


async def fill(connection: Any) -> datetime.datetime:
    """Have 120,000 rows of four sellers; gives a time in the middle of each list."""
    await connection.execute(FILL)
    await connection.execute("VACUUM ANALYZE")
    return await connection.fetchval("SELECT now()") - DEEP


async def plan(connection: Any, name: str, *given: Any) -> dict[str, Any]:
    """How Postgres has answered a query, as it tells it."""
    async with connection.transaction():
        await connection.execute(QUERIES["plan_for_these_values"])
        text = await connection.fetchval("EXPLAIN (ANALYZE, FORMAT JSON) " + QUERIES[name], *given)
    return msgspec.json.decode(text)[0]["Plan"]


def nodes(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each part of a plan."""
    yield found
    for part in found.get("Plans", ()):
        yield from nodes(part)


async def test_a_page_reads_its_own_rows_from_an_index_and_sorts_nothing(connection: Any) -> None:
    middle = await fill(connection)
    no_claims, no_stock, no_orders = (None,) * 5, (None,) * 3, (None,) * 4
    pages: dict[str, list[tuple[Any, ...]]] = {
        "list_claims": [
            (*no_claims, None, None),
            (*no_claims, middle, "c20000"),
            (None, None, None, None, middle, None, None),
            ("Refund", None, None, None, None, None, None),
        ],
        "list_inventory": [(*no_stock, None), (*no_stock, "s20000"), (None, None, False, None)],
        "list_orders": [
            (*no_orders, None, None),
            (*no_orders, middle, "o20000"),
            (None, None, None, middle, None, None),
            ("Shipped", None, None, None, None, None),
        ],
    }
    for name, of_name in pages.items():
        for given in of_name:
            parts = list(nodes(await plan(connection, name, "user0", *given, LIMIT)))
            assert [part["Node Type"] for part in parts] == ["Limit", "Index Scan"], (name, given, parts)
            assert parts[1]["Actual Rows"] == LIMIT
            assert parts[1].get("Rows Removed by Filter", 0) <= 20 * LIMIT


async def test_one_order_one_asin_and_one_sku_are_looked_up_and_everything_is_counted_by_an_index(
    connection: Any,
) -> None:
    await fill(connection)
    looked_up = [
        ("list_claims", (None, None, "o400", None, None, None, None, LIMIT)),
        ("count_claims", (None, None, "o400", None, None)),
        ("list_inventory", (None, "B400", None, None, LIMIT)),
        ("list_inventory", ("s400", None, None, None, LIMIT)),
        ("count_inventory", (None, "B400", None)),
    ]
    for name, given in looked_up:
        parts = list(nodes(await plan(connection, name, "user0", *given)))
        assert "Seq Scan" not in {part["Node Type"] for part in parts}, (name, given)
        assert max(part["Actual Rows"] for part in parts) == 1
    counted: list[tuple[str, tuple[Any, ...]]] = [
        ("count_claims", (None,) * 5),
        ("count_inventory", (None,) * 3),
        ("count_orders", (None,) * 4),
    ]
    for name, given in counted:
        kinds = {part["Node Type"] for part in nodes(await plan(connection, name, "user0", *given))}
        assert kinds == {"Aggregate", "Index Only Scan"}, name
