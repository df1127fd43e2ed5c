"""The tables of G2A's catalogue: what no sync, whatever its bug, can write."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from sql import load_queries

PRODUCT: dict[str, Any] = {
    "product_id": "10000000024005",
    "price": Decimal("4.99"),
    "currency": "EUR",
    "quantity": 3,
    "fingerprint": b"1",
}
FAILED: dict[str, Any] = {"status": 503, "code": "G2A_TIMEOUT", "message": "It is late."}


async def insert(connection: Any, table: str, row: dict[str, Any]) -> None:
    """Insert a row."""
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())


def run(**more: Any) -> dict[str, Any]:
    """A run that is at work."""
    return {"id": uuid4(), "kind": "full", "options": "{}"} | more


@pytest.mark.parametrize(
    "change",
    [
        {"product_id": ""},
        {"product_id": "1" * 61},
        {"price": Decimal("-0.01")},
        {"currency": "euro"},
        {"quantity": -1},
    ],
    ids=str,
)
async def test_a_product_that_cannot_be_is_refused(connection: Any, change: dict[str, Any]) -> None:
    await insert(connection, "g2a_products", PRODUCT)
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(connection, "g2a_products", PRODUCT | {"product_id": "other"} | change)


@pytest.mark.parametrize("change", [{"kind": "other"}, {"code": "G2A_TIMEOUT"}, FAILED], ids=str)
async def test_a_run_that_cannot_be_is_refused(connection: Any, change: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(connection, "g2a_syncs", run(**change))


async def test_one_run_is_at_work_at_a_time(connection: Any) -> None:
    first = run()
    await insert(connection, "g2a_syncs", first)
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(connection, "g2a_syncs", run())
    await connection.execute(load_queries("g2a_sync")["end_sync"], first["id"], *FAILED.values())
    await insert(connection, "g2a_syncs", run())


async def test_an_incremental_run_asks_for_what_has_changed_since_the_last_that_saw_all_began(connection: Any) -> None:
    begin = load_queries("g2a_sync")["begin_sync"]

    async def begun(kind: str, options: str = "{}") -> Any:
        row = await connection.fetchrow(begin, uuid4(), kind, options, 300.0)
        await connection.execute("UPDATE g2a_syncs SET ended_at = now() WHERE id = $1", row["id"])
        return row

    assert (await begun("chosen"))["since"] is None
    assert (await begun("incremental", '{"categories": ["Games"]}'))["since"] is None
    whole = await begun("full")
    await begun("chosen")
    later = await begun("incremental", '{"categories": null}')
    assert (whole["began_at"] - later["since"]).total_seconds() == 300


async def test_a_label_is_there_once(connection: Any) -> None:
    for kind in ("genre", "category"):
        await insert(connection, "labels", {"kind": kind, "name": "Action"})
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(connection, "labels", {"kind": "genre", "name": "Action"})
