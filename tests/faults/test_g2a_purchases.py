"""Purchases whose worker is killed at every step: each unit is bought once, every buyer has a key or his money.

The steps are watched from outside, in the rows; answers of the sandbox take long enough for that.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from chaos.waiting import until
from contract.settings import Settings
from tests.support.buyers import balance_of
from tests.support.durable import durable_servers
from tests.support.key_shop import PRICE, KeyShop, assert_bought_once, open_key_shop, paid_orders
from tests.support.processes import running
from tests.support.sandbox import running_g2a
from workers.vault import place_of_key

pytestmark = [pytest.mark.slow, pytest.mark.fault]

ORDERS = 50
LATENCY_MS = 200
"""Of every answer: many looks into the rows, also on a busy machine, so that no step passes unseen."""
ENDED_WITHIN_S = 60.0
STEPS: dict[str, list[tuple[str, int]]] = {
    "contract": [
        ("state = 'intended'", 1),
        ("state = 'calling'", 1),
        ("state = 'calling'", 4),
        ("state = 'pending'", 1),
        ("state = 'delivered'", 1),
        ("state = 'calling'", 2),
    ],
    "g2a": [
        ("state = 'intended' AND upstream_id <> ''", 1),
        ("state = 'calling'", 1),
        ("state = 'calling'", 4),
        ("state = 'pending'", 1),
        ("state = 'collecting'", 1),
        ("state = 'collecting'", 2),
        ("state = 'delivered'", 1),
    ],
}
"""What is seen of the rows when the worker is killed, and of how many of them since it was started."""
SINCE = "SELECT count(*) FROM g2a_purchases WHERE changed_at > $1 AND "
ENDED = "SELECT count(*) FROM store_orders WHERE status IN ('COMPLETED', 'REFUNDED')"
DELIVERED = """
    SELECT p.id, p.upstream_id, p.order_id, k.number, k.sealed FROM g2a_purchases AS p JOIN g2a_keys AS k
    ON k.purchase_id = p.id
"""


@pytest.fixture(params=["contract", "g2a"])
async def shop(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[KeyShop]:
    """A shop with everything in one directory, so that all that it leaves can be looked at."""
    quick = {"g2a_timeout_s": 1.0, "lease_s": 0.5, "g2a_rate_per_minute": 1_000_000, "g2a_dialect": request.param}
    async with (
        durable_servers(tmp_path, log_level="debug", **quick) as durable,
        running_g2a(durable.settings) as sandbox,
    ):
        how = {"completion": "quiet", "delay_s": 0.05, "latency_ms": LATENCY_MS}
        async with open_key_shop(sandbox.settings, sandbox, **how) as opened, running(sandbox.settings, "reaper"):
            yield opened


async def killed_when(settings: Settings, shop: KeyShop, condition: str, count: int) -> None:
    """Run the worker until so many rows are seen to be so, and kill it."""
    pool = shop.desk.pool
    start = await pool.fetchval("SELECT clock_timestamp()")

    async def seen() -> bool:
        return await pool.fetchval(SINCE + condition, start) >= count

    async with running(settings, "worker", "g2a") as process:
        await until(seen, ENDED_WITHIN_S)
        process.kill()
        assert await process.wait() < 0


async def test_a_worker_that_is_killed_at_every_step_buys_every_unit_once(shop: KeyShop, tmp_path: Path) -> None:
    settings = shop.desk.settings
    orders = [await shop.order() for _ in range(ORDERS)]
    for condition, count in STEPS[settings.g2a_dialect]:
        await killed_when(settings, shop, condition, count)
    assert await shop.desk.pool.fetchval(ENDED) < ORDERS, "the worker was killed when there was nothing left to do"

    async def ended() -> bool:
        return await shop.desk.pool.fetchval(ENDED) == ORDERS

    async with running(settings, "worker", "g2a"):
        await until(ended, ENDED_WITHIN_S)
    await assert_bought_once(shop.sandbox)
    paid = {order["orderId"]: order for order in await paid_orders(shop.sandbox)}
    assert len(paid) == ORDERS
    delivered = await shop.desk.pool.fetch(DELIVERED)
    for row in delivered:
        key = shop.desk.tools.vault.open(row["sealed"], place_of_key(row["id"], row["number"]))
        assert paid[row["upstream_id"]]["keys"] == [key]
    assert len({row["upstream_id"] for row in delivered}) == len(delivered)
    completed, refunded = await sorted_out(shop, orders)
    assert completed == {row["order_id"] for row in delivered}
    # What is given out once may die with whoever took it. The contract tells its keys again.
    assert not refunded or settings.g2a_dialect == "g2a"
    assert await balance_of(shop.desk, shop.buyer) == Decimal(1000) - len(completed) * PRICE
    assert_no_key_lies_open(tmp_path, [key for order in paid.values() for key in order["keys"]])


async def sorted_out(shop: KeyShop, orders: list[UUID]) -> tuple[set[UUID], set[UUID]]:
    """The orders that are completed, and those that were paid back because their key is lost."""
    rows = {order_id: await shop.row(order_id) for order_id in orders}
    completed = {order_id for order_id, row in rows.items() if row["status"] == "COMPLETED"}
    refunded = set(rows) - completed
    for order_id in refunded:
        assert await shop.states(order_id) == ["lost"]
    return completed, refunded


def assert_no_key_lies_open(directory: Path, keys: list[str]) -> None:
    """No file has a key in the clear: no log, no row, nothing of Valkey."""
    secrets = [key.encode() for key in keys]
    assert len(secrets) == ORDERS
    found: dict[str, Any] = {}
    for path in directory.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found |= {str(path): secret for secret in secrets if secret in content}
    assert found == {}


async def test_a_worker_that_is_stopped_in_the_midst_finishes_what_it_has_in_hand(shop: KeyShop) -> None:
    orders = [await shop.order() for _ in range(5)]
    settings = msgspec.structs.replace(shop.desk.settings, lease_s=5.0)
    calling = SINCE + "state = 'calling'"
    start = await shop.desk.pool.fetchval("SELECT clock_timestamp()")

    async def seen() -> bool:
        return await shop.desk.pool.fetchval(calling, start) > 0

    async with running(settings, "worker", "g2a"):
        await until(seen, ENDED_WITHIN_S)
    states = [state for order_id in orders for state in await shop.states(order_id)]
    assert "calling" not in states
