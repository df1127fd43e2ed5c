"""A flash sale of a game of the store, through all its processes: from the accepted order to the paid one, and back."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import NamedTuple

import pytest

from contract.settings import Settings
from tests.support.buyers import balance_of
from tests.support.desk import open_desk
from tests.support.http import get, init, order, post
from tests.support.processes import running, running_gateway
from tests.support.shoppers import Shopper, add_shopper
from tests.support.store import add_game, new_id
from workers.service import Desk
from workers.store_orders import STORE

pytestmark = pytest.mark.slow

UNITS = 5
WITHIN_S = 20.0
LOOK_S = 0.05


class Shop(NamedTuple):
    """A gateway, its workers, a sale of a game, and somebody with money."""

    settings: Settings
    desk: Desk
    game: str
    shopper: Shopper

    async def left(self) -> int:
        return (await get(self.settings.port, f"/inventory/{self.game}")).json()["available"]

    async def buy(self, quantity: int = 1) -> str:
        """Have an order accepted by the sale; gives its id."""
        answer = await order(self.settings.port, new_id("key"), self.game, self.shopper.user_id, quantity=quantity)
        assert answer.json()["status"] == "success", answer
        return answer.json()["orderId"]

    async def becomes(self, order_id: str, status: str) -> None:
        """Ask the store for an order until it has this status; there is no event of it outside."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                answer = await self.shopper.send("GET", f"/api/orders/{order_id}")
                if answer.status == 200 and answer.json()["data"]["status"] == status:
                    return
                await asyncio.sleep(LOOK_S)

    async def has_left(self, units: int) -> None:
        """Look until so many units are left in the sale."""
        async with asyncio.timeout(WITHIN_S):
            while await self.left() != units:
                await asyncio.sleep(LOOK_S)


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Shop]:
    async with (
        running_gateway(settings) as served,
        running(served, "worker", "orders"),
        running(served, "reaper"),
        open_desk(served, STORE) as desk,
    ):
        game = await add_game(desk, price=Decimal("30.00"), stock=0)
        assert (await init(served.port, game, UNITS)).status == 200
        yield Shop(served, desk, game, await add_shopper(served, desk, "100.00"))


async def test_an_accepted_order_is_paid_by_the_store_and_paid_back_when_its_buyer_cancels_it(shop: Shop) -> None:
    order_id = await shop.buy()
    await shop.becomes(order_id, "PROCESSING")
    assert await balance_of(shop.desk, shop.shopper.user_id) == Decimal("70.00")
    assert (await post(shop.settings.port, f"/cancel/{order_id}")).status == 200
    await shop.becomes(order_id, "CANCELLED")
    assert await balance_of(shop.desk, shop.shopper.user_id) == Decimal("100.00")
    assert await shop.left() == UNITS


async def test_an_order_that_is_cancelled_in_the_store_goes_back_to_the_sale(shop: Shop) -> None:
    order_id = await shop.buy()
    await shop.becomes(order_id, "PROCESSING")
    assert (await shop.shopper.send("POST", f"/api/orders/{order_id}/cancel")).status == 200
    await shop.has_left(UNITS)
    assert (await get(shop.settings.port, f"/status/{order_id}")).json()["state"] == "cancelled"


async def test_an_order_beyond_the_balance_fails_and_its_units_are_sold_to_somebody_else(shop: Shop) -> None:
    order_id = await shop.buy(4)
    await shop.becomes(order_id, "FAILED")
    await shop.has_left(UNITS)
    assert await balance_of(shop.desk, shop.shopper.user_id) == Decimal("100.00")
    await shop.becomes(await shop.buy(3), "PROCESSING")
    assert await balance_of(shop.desk, shop.shopper.user_id) == Decimal("10.00")
