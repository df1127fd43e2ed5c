"""How an order of keys ends by what G2A tells of it: nothing falls back, and money moves once."""

from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from contract.bus import BusCommand
from contract.settings import Settings
from tests.support.key_shop import PRICE, KeyShop, open_key_shop
from tests.support.sandbox import Sandbox
from workers.g2a import G2A
from workers.key_orders import heed
from workers.money import share
from workers.service import Ending, More, Replied
from workers.vault import place_of_key

COLLECTS = "SELECT command FROM outbox WHERE worker = 'g2a' AND convert_from(command, 'UTF8') LIKE '%collect%'"


@pytest.fixture
async def shop(settings: Settings, sandbox: Sandbox) -> AsyncIterator[KeyShop]:
    """A shop whose orders stay pending at G2A until somebody says otherwise."""
    own = msgspec.structs.replace(settings, g2a_sandbox_port=sandbox.port, g2a_rate_per_minute=1_000_000)
    async with open_key_shop(own, sandbox, completion="never") as opened:
        yield opened


async def told(shop: KeyShop, upstream_id: str, status: str, reason: str = "") -> tuple[str, ...] | None:
    """What becomes stale when G2A says so."""
    async with shop.desk.pool.acquire() as connection, connection.transaction():
        return await heed(connection, upstream_id, status, reason)


async def pending(shop: KeyShop, quantity: int = 1) -> tuple[UUID, str]:
    """An order whose purchase is pending, and its order at G2A."""
    order_id = await shop.order(quantity)
    assert isinstance(await shop.step(order_id), More)
    [row] = await shop.purchases(order_id)
    assert row["state"] == "pending"
    return order_id, row["upstream_id"]


async def collected(shop: KeyShop) -> list[Ending]:
    """What becomes of the commands to fetch keys that wait."""
    rows = await shop.desk.pool.fetch(COLLECTS)
    commands = [msgspec.json.decode(row["command"], type=BusCommand) for row in rows]
    return [await G2A.handlers[command.kind](shop.desk, command) for command in commands]


@pytest.mark.parametrize("status", ["pending", "processing", "completed", "failed", "cancelled"])
async def test_an_order_that_nobody_knows_yet_is_told_to_come_again(shop: KeyShop, status: str) -> None:
    assert await told(shop, "8000", status) is None
    assert await told(shop, "", status) is None


async def test_completed_is_believed_when_the_keys_are_there(shop: KeyShop) -> None:
    order_id, upstream_id = await pending(shop)
    await shop.sandbox.control(completion="inline")
    assert await told(shop, upstream_id, "completed") == ()
    assert (await shop.row(order_id))["status"] == "PROCESSING"
    # G2A has said so before it was true: what is asked for is still pending, and is asked for again.
    [ending] = await collected(shop)
    assert ending == More(1.0)


async def test_completed_has_the_keys_fetched_and_ends_the_order(shop: KeyShop) -> None:
    await shop.sandbox.control(completion="quiet", delay_s=0.0)
    order_id, upstream_id = await pending(shop, 2)
    for _ in range(2):
        assert await told(shop, upstream_id, "completed") == ()
    for _ in range(2):
        [ending] = await collected(shop)
        assert isinstance(ending, Replied)
        assert f"order:{order_id}" in ending.stale
    assert (await shop.row(order_id))["status"] == "COMPLETED"
    assert len(set(await shop.keys(order_id))) == 2


@pytest.mark.parametrize("status", ["failed", "cancelled"])
async def test_failed_ends_the_order_at_once_and_pays_it_back_once(shop: KeyShop, status: str) -> None:
    order_id, upstream_id = await pending(shop)
    assert await shop.balance() == Decimal(1000) - PRICE
    stale = await told(shop, upstream_id, status, "the seller has none")
    assert stale is not None
    assert {f"order:{order_id}", f"user:{shop.buyer}:orders"} <= set(stale)
    row = await shop.row(order_id)
    assert (row["status"], row["reason"]) == ("REFUNDED", "G2A_API_ERROR: the seller has none")
    for later in (status, "completed", "pending"):
        assert await told(shop, upstream_id, later) == ()
    await shop.buy(order_id)
    assert (await shop.balance(), await shop.states(order_id)) == (Decimal(1000), ["failed"])


@pytest.mark.parametrize("late", ["pending", "processing", "failed", "cancelled", "completed"])
async def test_what_is_delivered_stays_so_whatever_is_told_late(shop: KeyShop, late: str) -> None:
    await shop.sandbox.control(completion="inline")
    order_id = await shop.order()
    await shop.buy(order_id)
    [row] = await shop.purchases(order_id)
    assert await told(shop, row["upstream_id"], late) == ()
    assert (await shop.states(order_id), (await shop.row(order_id))["status"]) == (["delivered"], "COMPLETED")
    assert await collected(shop) == []


@pytest.mark.parametrize("first", ["failed", "delivered"])
async def test_failed_of_one_purchase_waits_for_the_others(settings: Settings, sandbox: Sandbox, first: str) -> None:
    own = msgspec.structs.replace(settings, g2a_sandbox_port=sandbox.port, g2a_dialect="g2a")
    async with open_key_shop(own, sandbox, completion="never") as shop:
        # One order of the export API is one unit.
        order_id = await shop.order(2)
        await shop.step(order_id)
        one, two = await shop.purchases(order_id)
        if first == "failed":
            assert await told(shop, one["upstream_id"], "failed") == ()
        else:
            text = "UPDATE g2a_purchases SET state = 'delivered' WHERE id = $1"
            await shop.desk.pool.execute(text, one["id"])
            sealed = shop.desk.tools.vault.seal("A-KEY", place_of_key(one["id"], 1))
            await shop.desk.pool.execute("INSERT INTO g2a_keys VALUES ($1, 1, $2)", one["id"], sealed)
        assert (await shop.row(order_id))["status"] == "PROCESSING"
        assert await told(shop, two["upstream_id"], "failed")
        status, left = ("REFUNDED", Decimal(1000)) if first == "failed" else ("COMPLETED", Decimal(1000) - PRICE)
        assert ((await shop.row(order_id))["status"], await shop.balance()) == (status, left)


async def test_what_is_told_is_undone_with_the_transaction_that_it_was_told_in(shop: KeyShop) -> None:
    order_id, upstream_id = await pending(shop)
    async with shop.desk.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        assert await heed(connection, upstream_id, "failed", "") is not None
        await transaction.rollback()
    assert (await shop.states(order_id), (await shop.row(order_id))["status"]) == (["pending"], "PROCESSING")


@pytest.mark.parametrize(
    ("lines", "subtotal", "total", "part"),
    [
        ([("10.00", 1)], "30.00", "30.00", "10.00"),
        ([("10.00", 1)], "30.00", "27.00", "9.00"),
        ([("0.01", 1)], "0.03", "0.02", "0.01"),
        ([("9.99", 3)], "9.99", "0.00", "0.00"),
        ([("0.00", 5)], "0.00", "0.00", "0.00"),
    ],
)
def test_the_share_of_what_is_missing_is_rounded_once(
    lines: list[tuple[str, int]], subtotal: str, total: str, part: str
) -> None:
    missing = [(Decimal(price), quantity) for price, quantity in lines]
    assert share(missing, Decimal(subtotal), Decimal(total)) == Decimal(part)
