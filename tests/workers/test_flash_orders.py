"""Flash-sale orders of known games and users: paid once, returned once, whoever comes first."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import pytest

import lua
from contract.bus import BusCommand
from contract.settings import Settings
from tests.lua.lane import Lane, make_order
from tests.support.buyers import add_buyer, balance_of, stock_of
from tests.support.desk import NEVER_READ, deliver, handled, open_desk
from tests.support.store import add_game, new_id
from tests.support.workshop import Workshop
from workers.service import Desk
from workers.store_orders import STORE

PRICE = "19.99"
UNITS = 10
COMMANDS = "SELECT command_id, command FROM outbox WHERE worker = 'orders' ORDER BY due_at, command_id"


class Shop(NamedTuple):
    """A sale of a game to a user, the worker of the sale, and the worker of the store."""

    desk: Desk
    workshop: Workshop
    lane: Lane
    game: str
    buyer: str

    async def buy(self, quantity: int = 1) -> lua.Order:
        """Have an order accepted."""
        order = make_order(new_id("key"), product=self.game, user=self.buyer, quantity=quantity)
        await self.lane.accepted(order)
        return order

    async def told(self) -> list[str]:
        """The kinds of commands that wait for the worker of the store."""
        rows = await self.desk.pool.fetch(COMMANDS)
        return sorted(msgspec.json.decode(row["command"], type=BusCommand).kind for row in rows)

    async def obey(self, *kinds: str) -> None:
        """Have what waits handled, twice each, as a bus may deliver it; only these kinds where some are named."""
        for row in await self.desk.pool.fetch(COMMANDS):
            command = msgspec.json.decode(row["command"], type=BusCommand)
            if kinds and command.kind not in kinds:
                continue
            # Nobody waits for it; here somebody does, to hear what came of it.
            awaited = msgspec.structs.replace(command, reply_to=lua.REPLIES_PREFIX + NEVER_READ)
            for _ in range(2):
                assert (await deliver(self.desk, STORE, awaited)).status == 200
            await self.desk.pool.execute("DELETE FROM outbox WHERE command_id = $1", row["command_id"])

    async def settle(self) -> None:
        """Let both workers do all that there is to do."""
        while await self.told() or (await self.lane.figures()).backlog:
            await self.workshop.work()
            await self.obey()

    async def row(self, order: lua.Order) -> Any:
        """The store order."""
        text = "SELECT *, status::text AS status FROM store_orders WHERE id = $1"
        return await self.desk.pool.fetchrow(text, order.order_id)

    async def purchases(self, order: lua.Order) -> int:
        """How often its keys are asked for."""
        text = "SELECT count(*) FROM outbox WHERE worker = 'g2a' AND convert_from(command, 'UTF8') LIKE $1"
        return await self.desk.pool.fetchval(text, f"%{order.order_id}%")

    async def left(self) -> int | None:
        """Units left in the sale."""
        return await self.lane.stock(self.game)

    async def balance(self) -> Decimal:
        """What the buyer has."""
        return await balance_of(self.desk, self.buyer)


@pytest.fixture
async def shop(settings: Settings, workshop: Workshop) -> AsyncIterator[Shop]:
    async with open_desk(settings, STORE) as desk:
        await desk.pool.execute("TRUNCATE outbox")
        lane = Lane(workshop.context.redis)
        game, buyer = await add_game(desk, price=Decimal(PRICE), stock=3), await add_buyer(desk, "100.00")
        await lane.open(game, UNITS)
        await workshop.work()
        yield Shop(desk, workshop, lane, game, buyer)
        await workshop.work()
        assert [book.fault for book in await workshop.books() if book.fault] == []


async def test_an_order_is_paid_at_the_price_of_its_game_and_the_stock_is_not_touched(shop: Shop) -> None:
    order = await shop.buy(2)
    await shop.settle()
    row = await shop.row(order)
    assert (row["status"], row["total"], row["from_sale"]) == ("PROCESSING", Decimal("39.98"), True)
    assert await shop.balance() == Decimal("60.02")
    assert await stock_of(shop.desk, shop.game) == (3, 0)
    assert await shop.purchases(order) == 1
    assert await shop.left() == UNITS - 2


@pytest.mark.parametrize("unknown", ["game", "user"])
async def test_what_the_store_does_not_know_leaves_nothing(shop: Shop, unknown: str) -> None:
    changed = shop._replace(game=new_id("thing")) if unknown == "game" else shop._replace(buyer=new_id("someone"))
    await shop.lane.open(changed.game, UNITS)
    order = await changed.buy()
    await shop.workshop.work()
    assert await shop.told() == []
    await shop.lane.cancel(order)
    await shop.workshop.work()
    assert await shop.told() == []


async def test_a_batch_of_many_hands_over_only_what_is_known(shop: Shop) -> None:
    stranger = shop._replace(buyer=new_id("someone"))
    for own in (shop, stranger, shop):
        await own.buy()
    await shop.workshop.work()
    assert await shop.told() == ["take_flash_order"] * 2


async def test_an_order_that_its_buyer_cannot_pay_fails_and_its_units_go_back_to_the_sale(shop: Shop) -> None:
    order = await shop.buy(6)
    await shop.settle()
    row = await shop.row(order)
    assert row["status"] == "FAILED"
    assert row["reason"] == "the order comes to 119.94, and the balance was 100.00"
    assert await shop.balance() == Decimal("100.00")
    assert await shop.left() == UNITS
    assert [row["state"] for row in await shop.workshop.rows()] == ["cancelled"]
    assert await shop.purchases(order) == 0


async def test_a_price_times_a_quantity_beyond_all_money_fails_in_order(shop: Shop) -> None:
    await shop.desk.pool.execute("UPDATE games SET price = 9999999999.99 WHERE id = $1", shop.game)
    await shop.lane.open(shop.game, 1_000_000_000)
    order = await shop.buy(1_000_000_000)
    await shop.settle()
    assert (await shop.row(order))["status"] == "FAILED"
    assert await shop.left() == 1_000_000_000


async def test_units_go_back_though_redis_has_forgotten_the_order(shop: Shop) -> None:
    order = await shop.buy(6)
    await shop.workshop.work()
    await shop.lane.redis.delete(shop.lane.keys.order(order.digest))
    await shop.settle()
    assert await shop.left() == UNITS
    assert [row["state"] for row in await shop.workshop.rows()] == ["cancelled"]


async def test_a_buyer_who_cancels_in_the_sale_gets_his_money_back_once(shop: Shop) -> None:
    order = await shop.buy()
    await shop.settle()
    await shop.lane.cancel(order)
    await shop.settle()
    assert (await shop.row(order))["status"] == "CANCELLED"
    assert await shop.balance() == Decimal("100.00")
    assert await shop.left() == UNITS
    assert await stock_of(shop.desk, shop.game) == (3, 0)


async def test_a_buyer_who_cancels_in_the_store_gets_his_money_and_the_sale_its_unit_back_once(shop: Shop) -> None:
    order = await shop.buy()
    await shop.settle()
    body = {"order_id": order.order_id}
    for _ in range(2):
        assert (await handled(shop.desk, STORE, "cancel_order", body, user_id=shop.buyer)).status == 200
    await shop.settle()
    assert (await shop.row(order))["status"] == "CANCELLED"
    assert await shop.balance() == Decimal("100.00")
    assert await shop.left() == UNITS
    assert [row["state"] for row in await shop.workshop.rows()] == ["cancelled"]


async def test_an_order_that_is_cancelled_before_the_store_hears_of_it_is_never_charged(shop: Shop) -> None:
    order = await shop.buy()
    await shop.workshop.work()
    await shop.lane.cancel(order)
    await shop.workshop.work()
    assert await shop.told() == ["return_flash_order", "take_flash_order"]
    await shop.obey("return_flash_order")
    await shop.obey("take_flash_order")
    assert await shop.row(order) is None
    assert await shop.balance() == Decimal("100.00")


async def test_an_order_that_comes_and_goes_with_one_batch_is_not_told_of(shop: Shop) -> None:
    order = await shop.buy()
    await shop.lane.cancel(order)
    await shop.workshop.work()
    assert await shop.told() == []


async def test_what_is_charged_while_the_cancellation_is_on_its_way_comes_back(shop: Shop) -> None:
    order = await shop.buy()
    await shop.workshop.work()
    await shop.lane.cancel(order)
    await shop.obey("take_flash_order")
    assert (await shop.row(order))["status"] == "PROCESSING"
    await shop.settle()
    assert (await shop.row(order))["status"] == "CANCELLED"
    assert await shop.balance() == Decimal("100.00")
    assert await shop.left() == UNITS


async def test_units_that_went_back_while_the_keys_were_bought_are_paid_back_and_the_keys_stay_here(shop: Shop) -> None:
    order = await shop.buy()
    await shop.settle()
    await shop.desk.pool.execute("UPDATE store_orders SET purchase_began_at = now() WHERE id = $1", order.order_id)
    await shop.lane.cancel(order)
    await shop.settle()
    assert (await shop.row(order))["status"] == "REFUNDED"
    assert await shop.balance() == Decimal("100.00")


async def test_a_delivered_order_stays_paid_and_its_sale_can_show_it_as_fulfilled(shop: Shop) -> None:
    order = await shop.buy()
    await shop.settle()
    await shop.desk.pool.execute("UPDATE store_orders SET purchase_began_at = now() WHERE id = $1", order.order_id)
    await shop.desk.pool.execute("UPDATE store_orders SET status = 'COMPLETED' WHERE id = $1", order.order_id)
    await shop.lane.cancel(order)
    await shop.settle()
    assert (await shop.row(order))["status"] == "COMPLETED"
    assert await shop.balance() == Decimal("80.01")


async def test_a_delivery_that_comes_again_hands_an_order_over_once(shop: Shop) -> None:
    await shop.buy()
    deliveries = await shop.workshop.read()
    await shop.workshop.work(deliveries)
    await shop.obey()
    await shop.workshop.work(deliveries)
    assert await shop.told() == []


async def test_in_production_nobody_is_charged_who_has_not_proven_who_he_is(shop: Shop) -> None:
    proven: dict[str, bool] = {}
    for order_auth in ("off", "required"):
        context = shop.workshop.context
        settings = msgspec.structs.replace(context.settings, env="production", order_auth=order_auth)
        shop.workshop.context = context._replace(settings=settings)
        await shop.buy()
        await shop.workshop.work()
        proven[order_auth] = await shop.told() == ["take_flash_order"]
    assert proven == {"off": False, "required": True}
