"""The decisions about stock, over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

import lua
from contract.settings import Settings
from contract.transport import open_redis
from lua.keys import product_digest
from tests.support.http import get, init, order, post
from tests.support.refusals import refused
from tests.support.selling import Sale

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def valkey(shared_gateway: Settings) -> AsyncIterator[Any]:
    """A client of the gateway's Valkey."""
    client = open_redis(shared_gateway)
    yield client
    await client.aclose()


async def buy(sale: Sale, key: str, user: str = "user-1", **more: Any) -> dict[str, Any]:
    """The document that answers an order."""
    return (await order(sale.port, f"{sale.product}-{key}", sale.product, user, **more)).json()


async def test_nobody_has_more_than_the_limit_of_a_sale(sale: Sale) -> None:
    assert (await init(sale.port, sale.product, 10, maxPerUser=3)).status == 200
    assert (await buy(sale, "1", quantity=2))["status"] == "success"
    over = await order(sale.port, f"{sale.product}-2", sale.product, quantity=2)
    assert over.status == 409
    assert over.json() == {"status": "limit_reached", "msg": "This sale allows 3 per buyer", "limit": 3}
    # The refused key is unused, and buys what is still allowed.
    assert (await buy(sale, "2", quantity=1))["status"] == "success"
    assert (await buy(sale, "3", "another buyer", quantity=3))["status"] == "success"
    assert await sale.left() == 4


async def test_the_limit_holds_in_a_crowd_and_a_cancellation_gives_it_back(sale: Sale) -> None:
    await init(sale.port, sale.product, 10, maxPerUser=2)
    answers = await asyncio.gather(*(buy(sale, f"{i}") for i in range(20)))
    bought = [answer["orderId"] for answer in answers if answer["status"] == "success"]
    assert len(bought) == 2
    assert (await post(sale.port, f"/cancel/{bought[0]}")).status == 200
    assert (await buy(sale, "afterwards"))["status"] == "success"
    assert (await buy(sale, "one-more"))["status"] == "limit_reached"


async def test_a_key_that_met_an_empty_shelf_buys_a_unit_that_comes_back(sale: Sale) -> None:
    bought = await buy(sale, "all", quantity=10)
    assert await buy(sale, "patient") == {"status": "sold_out", "msg": "Inventory empty"}
    assert (await post(sale.port, f"/cancel/{bought['orderId']}")).status == 200
    assert (await buy(sale, "patient"))["status"] == "success"


async def test_an_order_of_several_units_takes_all_or_nothing(sale: Sale) -> None:
    assert (await buy(sale, "7", quantity=7))["status"] == "success"
    short = await order(sale.port, f"{sale.product}-4", sale.product, quantity=4)
    assert (short.status, short.json()["status"], short.json()["available"]) == (409, "sold_out", 3)
    assert "Only 3 left" in short.json()["msg"]
    assert await sale.left() == 3
    assert (await buy(sale, "3", quantity=3))["status"] == "success"
    assert await buy(sale, "1") == {"status": "sold_out", "msg": "Inventory empty"}


async def test_ten_units_among_a_hundred_buyers_are_ten_orders(sale: Sale) -> None:
    answers = await asyncio.gather(*(buy(sale, f"{i}", f"u-{i}") for i in range(100)))
    assert sorted(answer["status"] for answer in answers) == ["sold_out"] * 90 + ["success"] * 10
    assert len({answer["orderId"] for answer in answers if "orderId" in answer}) == 10
    assert await sale.left() == 0


async def test_a_status_tells_what_was_ordered(sale: Sale) -> None:
    bought = await buy(sale, "told", "Zoë", quantity=2)
    status = (await get(sale.port, f"/status/{bought['orderId']}")).json()
    accepted_at = status.pop("acceptedAt")
    assert accepted_at.endswith("Z")
    assert status == {
        "status": "ok",
        "orderId": bought["orderId"],
        "productId": sale.product,
        "userId": "Zoë",
        "quantity": 2,
        "state": "accepted",
    }


async def test_a_live_sale_whose_stock_is_gone_is_not_ready_rather_than_sold_out(sale: Sale, valkey: Any) -> None:
    _, stock, _ = lua.LaneKeys(0).product(product_digest(sale.product))
    await valkey.delete(stock)
    answer = await order(sale.port, f"{sale.product}-lost", sale.product)
    assert "same key" in refused(answer, 503)
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    assert answer.headers["cache-control"] == "no-store"
    refused(await get(sale.port, f"/inventory/{sale.product}"), 503)
    await valkey.set(stock, 1)
    assert (await buy(sale, "lost"))["status"] == "success"


@pytest.mark.parametrize("damage", ["", "many", "1.5", "1e3"])
async def test_a_damaged_stock_sells_nothing_and_breaks_nothing(sale: Sale, valkey: Any, damage: str) -> None:
    _, stock, _ = lua.LaneKeys(0).product(product_digest(sale.product))
    await valkey.set(stock, damage)
    refused(await order(sale.port, f"{sale.product}-d", sale.product), 503)
    assert await valkey.get(stock) == damage.encode()
    await valkey.set(stock, sale.units)
    assert (await buy(sale, "d"))["status"] == "success"


async def test_a_stock_below_nothing_is_sold_out(sale: Sale, valkey: Any) -> None:
    _, stock, _ = lua.LaneKeys(0).product(product_digest(sale.product))
    await valkey.set(stock, -1)
    assert await buy(sale, "none") == {"status": "sold_out", "msg": "Inventory empty"}


async def test_the_inventory_is_that_of_the_newest_sale(sale: Sale) -> None:
    await buy(sale, "before")
    expected = {"status": "ok", "productId": sale.product, "quantity": 10, "available": 9}
    assert (await get(sale.port, f"/inventory/{sale.product}")).json() == expected
    await init(sale.port, sale.product, 5)
    assert (await get(sale.port, f"/inventory/{sale.product}")).json() == {**expected, "quantity": 5, "available": 5}
    assert refused(await get(sale.port, "/inventory/unknown"), 404) == "There is no sale of this product."
