"""The schema of store orders: what no worker, whatever its bug, can write."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from tests.support.servers import Servers

USER, GAME = "ann-of-the-schema", "game-of-the-schema"
ID = "01a1fe17-0628-7007-b3c8-6890d92236bd"
OTHER = "01a1fe17-0628-7007-b3c8-6890d92236be"
STATUSES = ("PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED", "REFUNDED")
LAWFUL = {
    "PENDING": {"PROCESSING", "FAILED", "CANCELLED"},
    "PROCESSING": {"COMPLETED", "FAILED", "CANCELLED", "REFUNDED"},
    "COMPLETED": {"REFUNDED"},
    "FAILED": {"REFUNDED"},
    "CANCELLED": set[str](),
    "REFUNDED": set[str](),
}
WAY_TO = {
    "PENDING": (),
    "PROCESSING": ("PROCESSING",),
    "COMPLETED": ("PROCESSING", "COMPLETED"),
    "FAILED": ("FAILED",),
    "CANCELLED": ("CANCELLED",),
    "REFUNDED": ("PROCESSING", "REFUNDED"),
}
ORDER: dict[str, Any] = {
    "id": ID,
    "user_id": USER,
    "subtotal": Decimal("20.00"),
    "discount": Decimal("5.00"),
    "total": Decimal("15.00"),
    "idempotency_key": "key",
}
ENTRY: dict[str, Any] = {"user_id": USER, "amount": Decimal("-15.00"), "kind": "purchase", "order_id": ID}


@pytest.fixture
async def shop(servers: Servers) -> AsyncIterator[Any]:
    """A user and a game, in a transaction that leaves nothing."""
    driver: Any = asyncpg
    connection = await driver.connect(servers.postgres_url)
    undone = connection.transaction()
    await undone.start()
    await run(
        connection,
        "INSERT INTO users (id, email, password_hash, nickname) VALUES ($1, $1 || '@schema.example', 'none', 'Ann')",
        USER,
    )
    await run(connection, "INSERT INTO games (id, title, price) VALUES ($1, 'Halo', 20)", GAME)
    yield connection
    await undone.rollback()
    await connection.close()


async def run(connection: Any, text: str, *arguments: Any) -> None:
    """A statement of its own: what it does is undone where it is refused, and no more."""
    async with connection.transaction():
        await connection.execute(text, *arguments)


async def insert(connection: Any, table: str, row: dict[str, Any], **changes: Any) -> None:
    row = row | changes
    places = ", ".join(f"${i}" for i in range(1, len(row) + 1))
    await run(connection, f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())


async def become(connection: Any, status: str) -> None:
    await run(connection, "UPDATE store_orders SET status = $1, reason = 'a reason' WHERE id = $2", status, ID)


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
async def test_only_the_lawful_ways_lead_from_one_status_to_the_next(shop: Any, before: str, after: str) -> None:
    await insert(shop, "store_orders", ORDER)
    for status in WAY_TO[before]:
        await become(shop, status)
    if after == before or after in LAWFUL[before]:
        await become(shop, after)
        assert await shop.fetchval("SELECT status::text FROM store_orders WHERE id = $1", ID) == after
    else:
        with pytest.raises(asyncpg.CheckViolationError, match="cannot become"):
            await become(shop, after)


@pytest.mark.parametrize("status", STATUSES[1:])
async def test_every_order_begins_as_pending(shop: Any, status: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="cannot become"):
        await insert(shop, "store_orders", ORDER, status=status, reason="a reason")


@pytest.mark.parametrize(
    "changes",
    [
        {"total": Decimal("15.01")},
        {"total": Decimal("14.99")},
        {"subtotal": Decimal("-1.00"), "discount": Decimal(0), "total": Decimal("-1.00")},
        {"discount": Decimal("20.01"), "total": Decimal("-0.01")},
        {"discount": Decimal("-0.01"), "total": Decimal("20.01")},
        {"idempotency_key": None},
        {"idempotency_key": ""},
        {"from_sale": True},
        {"reason": "x" * 201},
    ],
)
async def test_sums_that_do_not_add_up_and_orders_of_nowhere_are_refused(shop: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(shop, "store_orders", ORDER, **changes)


async def test_a_failed_order_has_a_reason(shop: Any) -> None:
    await insert(shop, "store_orders", ORDER)
    with pytest.raises(asyncpg.CheckViolationError, match="failed_has_reason"):
        await run(shop, "UPDATE store_orders SET status = 'FAILED' WHERE id = $1", ID)


async def test_an_order_whose_keys_are_being_bought_cannot_be_cancelled_nor_bought_for_unpaid(shop: Any) -> None:
    await insert(shop, "store_orders", ORDER)
    with pytest.raises(asyncpg.CheckViolationError, match="bought_only_when_paid"):
        await run(shop, "UPDATE store_orders SET purchase_began_at = now() WHERE id = $1", ID)
    await become(shop, "PROCESSING")
    await run(shop, "UPDATE store_orders SET purchase_began_at = now() WHERE id = $1", ID)
    with pytest.raises(asyncpg.CheckViolationError, match="bought_only_when_paid"):
        await become(shop, "CANCELLED")


async def test_a_key_of_a_buyer_makes_one_order(shop: Any) -> None:
    await insert(shop, "store_orders", ORDER)
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(shop, "store_orders", ORDER, id=OTHER)


async def test_an_order_is_paid_once_and_refunded_once(shop: Any) -> None:
    await insert(shop, "store_orders", ORDER)
    refund = {"kind": "refund", "amount": Decimal("15.00")}
    await insert(shop, "ledger", ENTRY)
    await insert(shop, "ledger", ENTRY, **refund)
    for changes in ({}, refund):
        with pytest.raises(asyncpg.UniqueViolationError):
            await insert(shop, "ledger", ENTRY, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Decimal("0.01")},
        {"kind": "refund"},
        {"kind": "deposit"},
        {"kind": "deposit", "amount": Decimal("1.00")},
        {"kind": "gift", "amount": Decimal("1.00")},
        {"order_id": None},
    ],
)
async def test_a_row_of_the_ledger_has_the_sign_and_the_order_of_its_kind(shop: Any, changes: dict[str, Any]) -> None:
    await insert(shop, "store_orders", ORDER)
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(shop, "ledger", ENTRY, **changes)


@pytest.mark.parametrize("changes", [{"user_id": "nobody"}, {"promo_code": "unknown"}])
async def test_an_order_belongs_to_somebody_and_to_codes_that_exist(shop: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await insert(shop, "store_orders", ORDER, **changes)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"quantity": 0}, asyncpg.CheckViolationError),
        ({"price": Decimal("-0.01")}, asyncpg.CheckViolationError),
        ({"game_id": "unknown"}, asyncpg.ForeignKeyViolationError),
        ({"order_id": OTHER}, asyncpg.ForeignKeyViolationError),
    ],
)
async def test_an_item_is_of_a_game_and_of_an_order(shop: Any, changes: dict[str, Any], refusal: Any) -> None:
    await insert(shop, "store_orders", ORDER)
    item = {"order_id": ID, "game_id": GAME, "quantity": 1, "price": Decimal(20)}
    await insert(shop, "store_order_items", item)
    with pytest.raises(refusal):
        await insert(shop, "store_order_items", item, **changes)


async def test_neither_a_balance_nor_a_stock_goes_below_nothing(shop: Any) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await run(shop, "UPDATE users SET balance = -0.01 WHERE id = $1", USER)
    with pytest.raises(asyncpg.CheckViolationError):
        await run(shop, "UPDATE games SET stock = -1 WHERE id = $1", GAME)
