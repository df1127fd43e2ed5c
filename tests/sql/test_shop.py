"""The schema of games, promo codes, carts and wishlists: what no worker, whatever its bug, can write."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from sql import load_queries
from tests.support.servers import Servers

GAME: dict[str, Any] = {"id": "half-life", "title": "Half-Life", "price": Decimal("9.99"), "stock": 3}
PROMO: dict[str, Any] = {"code": "SUMMER", "percent": Decimal("10"), "uses_max": 2}
LINE: dict[str, Any] = {"owner_kind": "user", "owner_id": "ann", "game_id": "half-life", "quantity": 1}
WISH: dict[str, Any] = {"owner_kind": "session", "owner_id": "0" * 32, "game_id": "half-life"}
EARLY, LATE = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def connection(servers: Servers) -> AsyncIterator[Any]:
    """Empty tables, in a transaction that leaves nothing."""
    driver: Any = asyncpg
    opened = await driver.connect(servers.postgres_url)
    undone = opened.transaction()
    await undone.start()
    await opened.execute("TRUNCATE games, promo_codes, carts, wishlists CASCADE")
    yield opened
    await undone.rollback()
    await opened.close()


async def insert(connection: Any, table: str, row: dict[str, Any]) -> None:
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())


@pytest.mark.parametrize(
    ("table", "row", "change"),
    [
        *(
            ("games", GAME, change)
            for change in (
                {"id": ""},
                {"id": "a b"},
                {"id": "a\n"},
                {"id": "x" * 65},
                {"title": ""},
                {"title": "x" * 201},
                {"description": "x" * 10_001},
                {"genre": "x" * 65},
                {"price": Decimal("-0.01")},
                {"old_price": Decimal("-0.01")},
                {"stock": -1},
                {"sold": -1},
                {"g2a_product_id": ""},
            )
        ),
        *(
            ("promo_codes", PROMO, change)
            for change in (
                {"code": ""},
                {"code": "a b"},
                {"code": "x" * 33},
                {"percent": None},
                {"amount": Decimal("5")},
                {"percent": Decimal("0")},
                {"percent": Decimal("100.01")},
                {"percent": None, "amount": Decimal("0")},
                {"uses_max": -1},
                {"used": -1},
                {"used": 3},
                {"valid_from": LATE, "valid_until": EARLY},
            )
        ),
        *(
            ("carts", LINE, change)
            for change in (
                {"quantity": 0},
                {"quantity": 100},
                {"owner_kind": "guest"},
                {"owner_id": ""},
                {"owner_id": "x" * 129},
                {"game_id": "a/b"},
            )
        ),
        *(("wishlists", WISH, change) for change in ({"owner_kind": ""}, {"owner_id": ""}, {"game_id": ""})),
    ],
    ids=str,
)
async def test_a_row_that_cannot_be_is_refused(
    connection: Any, table: str, row: dict[str, Any], change: dict[str, Any]
) -> None:
    await insert(connection, table, row)
    await connection.execute(f"DELETE FROM {table}")
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(connection, table, row | change)


@pytest.mark.parametrize(("table", "row"), [("carts", LINE), ("wishlists", WISH)])
async def test_an_owner_has_a_game_once_and_others_have_it_too(
    connection: Any, table: str, row: dict[str, Any]
) -> None:
    await insert(connection, table, row)
    await insert(connection, table, row | {"owner_id": "bob"})
    await insert(connection, table, row | {"game_id": "halo"})
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(connection, table, row)


async def test_two_games_never_sell_the_keys_of_one_product(connection: Any) -> None:
    await insert(connection, "games", GAME | {"g2a_product_id": "1"})
    await insert(connection, "games", GAME | {"id": "no-product"})
    await insert(connection, "games", GAME | {"id": "no-product-either"})
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(connection, "games", GAME | {"id": "other", "g2a_product_id": "1"})


async def test_a_promo_code_is_used_as_often_as_it_may_be_and_no_more(connection: Any) -> None:
    await insert(connection, "promo_codes", PROMO | {"used": 2})
    with pytest.raises(asyncpg.CheckViolationError):
        async with connection.transaction():
            await connection.execute("UPDATE promo_codes SET used = used + 1")
    await connection.execute("UPDATE promo_codes SET uses_max = NULL")
    await connection.execute("UPDATE promo_codes SET used = used + 1")


async def test_a_game_that_costs_nothing_any_more_is_a_deal_like_any_other(connection: Any) -> None:
    await insert(connection, "games", GAME | {"old_price": Decimal("0")})
    await insert(connection, "games", GAME | {"id": "free", "price": Decimal("0"), "old_price": Decimal("5")})
    await connection.execute("UPDATE games SET price = 0")
    rows = await connection.fetch(load_queries("games")["deals"], 20)
    assert [row["id"] for row in rows] == ["free"]


async def test_forgetting_goes_by_pages_the_oldest_first(connection: Any) -> None:
    aged = LINE | {"owner_kind": "session"}
    for day in range(1, 6):
        await insert(
            connection, "carts", aged | {"owner_id": f"s{day}", "changed_at": datetime(2025, 1, day, tzinfo=UTC)}
        )
    await insert(connection, "carts", aged | {"owner_id": "today"})
    query = load_queries("migration")["forget_guests"]
    assert [await connection.fetchval(query, 86_400.0, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert await connection.fetchval("SELECT array_agg(owner_id) FROM carts") == ["today"]
