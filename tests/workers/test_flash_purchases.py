"""Keys of flash-sale orders: from the moment that money is spent on one, nobody takes its units back to the sale."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import msgspec
import pytest

import lua
from contract.bus import BusCommand
from contract.settings import Settings
from tests.lua.lane import Lane, make_order
from tests.support.desk import NEVER_READ, deliver
from tests.support.key_shop import PRICE, KeyShop, open_key_shop
from tests.support.sandbox import Sandbox
from tests.support.store import new_id
from tests.support.workshop import Workshop
from workers import flash_orders
from workers.service import Replied
from workers.store_orders import STORE

UNITS = 10
COMMANDS = "SELECT command_id, command FROM outbox WHERE worker = 'orders' ORDER BY due_at, command_id"
STATE = "SELECT state::text FROM orders WHERE order_id = $1"


class Sale(NamedTuple):
    """A sale of the game of a key shop."""

    shop: KeyShop
    workshop: Workshop
    lane: Lane

    async def buy(self, quantity: int = 1) -> lua.Order:
        """An accepted order that the store has taken, and that is paid."""
        order = make_order(new_id("key"), product=self.shop.game, user=self.shop.buyer, quantity=quantity)
        await self.lane.accepted(order)
        await self.settle()
        assert (await self.row(order))["status"] == "PROCESSING"
        return order

    async def settle(self) -> None:
        """Let the workers of the sale and of the store do all that waits for them."""
        await self.workshop.work()
        for row in await self.shop.desk.pool.fetch(COMMANDS):
            command = msgspec.json.decode(row["command"], type=BusCommand)
            awaited = msgspec.structs.replace(command, reply_to=lua.REPLIES_PREFIX + NEVER_READ)
            assert (await deliver(self.shop.desk, STORE, awaited)).status == 200
            await self.shop.desk.pool.execute("DELETE FROM outbox WHERE command_id = $1", row["command_id"])
        await self.workshop.work()

    async def row(self, order: lua.Order) -> dict[str, object]:
        """The store order."""
        return dict(await self.shop.row(UUID(order.order_id)))

    async def deliver(self, order: lua.Order) -> Replied:
        """Have its keys bought."""
        return await self.shop.buy(UUID(order.order_id))

    async def state(self, order: lua.Order) -> str:
        """What Postgres says of the order of the sale."""
        return await self.shop.desk.pool.fetchval(STATE, order.order_id)


@pytest.fixture
async def sale(settings: Settings, sandbox: Sandbox, workshop: Workshop) -> AsyncIterator[Sale]:
    """A sale whose books are whole when the test is over."""
    own = msgspec.structs.replace(settings, g2a_sandbox_port=sandbox.port, g2a_rate_per_minute=1_000_000)
    async with open_key_shop(own, sandbox) as shop:
        lane = Lane(workshop.context.redis)
        await lane.open(shop.game, UNITS)
        await workshop.work()
        yield Sale(shop, workshop, lane)
        await workshop.work()
        assert [book.fault for book in await workshop.books() if book.fault] == []


async def test_a_delivered_order_can_be_cancelled_by_nobody(sale: Sale) -> None:
    order = await sale.buy(2)
    await sale.deliver(order)
    assert (await sale.row(order))["status"] == "COMPLETED"
    assert (await sale.state(order), await sale.lane.state(order)) == ("fulfilled", "fulfilled")
    assert await sale.lane.cancel(order) == (lua.CancelStatus.FORBIDDEN, b"d")
    assert await sale.lane.stock(sale.shop.game) == UNITS - 2
    assert len(await sale.shop.keys(UUID(order.order_id))) == 2
    ttl_ms = sale.shop.desk.settings.idempotency_ttl_s * 1000
    assert 0 < await sale.lane.redis.pttl(sale.lane.keys.order(order.digest)) <= ttl_ms


async def test_an_order_that_is_cancelled_first_costs_nothing_at_g2a(sale: Sale) -> None:
    order = await sale.buy()
    assert (await sale.lane.cancel(order))[0] == lua.CancelStatus.CANCELLED
    await sale.deliver(order)
    await sale.settle()
    assert (await sale.row(order))["status"] == "CANCELLED"
    assert (await sale.shop.bought(), await sale.shop.balance()) == (0, Decimal(1000))
    assert await sale.lane.stock(sale.shop.game) == UNITS


async def test_a_worker_that_dies_between_redis_and_postgres_leaves_an_order_that_is_delivered_later(
    sale: Sale,
) -> None:
    order = await sale.buy()
    assert await flash_orders.begin_delivery(sale.shop.desk, UUID(order.order_id))
    assert (await sale.state(order), await sale.lane.state(order)) == ("persisted", "fulfilled")
    assert await sale.lane.redis.pttl(sale.lane.keys.order(order.digest)) == -1
    assert await sale.lane.cancel(order) == (lua.CancelStatus.FORBIDDEN, b"d")
    await sale.deliver(order)
    assert ((await sale.row(order))["status"], await sale.state(order)) == ("COMPLETED", "fulfilled")


async def test_an_order_whose_record_has_lapsed_is_delivered_and_cannot_be_cancelled(sale: Sale) -> None:
    order = await sale.buy()
    await sale.lane.redis.delete(sale.lane.keys.order(order.digest))
    await sale.deliver(order)
    assert await sale.lane.cancel(order) == (lua.CancelStatus.FORBIDDEN, b"d")
    assert (await sale.row(order))["status"] == "COMPLETED"


async def test_what_g2a_does_not_have_is_paid_back_and_not_sold_again(sale: Sale) -> None:
    order = await sale.buy(3)
    await sale.shop.sandbox.control(products=[{"id": sale.shop.product, "quantity": 0}])
    await sale.deliver(order)
    await sale.settle()
    assert ((await sale.row(order))["status"], await sale.shop.balance()) == ("REFUNDED", Decimal(1000))
    assert await sale.lane.stock(sale.shop.game) == UNITS - 3


async def test_the_store_takes_no_cancellation_after_the_purchase_began(sale: Sale) -> None:
    await sale.shop.sandbox.control(completion="never")
    order = await sale.buy()
    await sale.shop.step(UUID(order.order_id))
    assert (await sale.row(order))["purchase_began_at"] is not None
    assert await sale.lane.cancel(order) == (lua.CancelStatus.FORBIDDEN, b"d")
    assert await sale.shop.balance() == Decimal(1000) - PRICE
