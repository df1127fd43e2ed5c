"""POST /cancel: the units return exactly once, whoever repeats or races it, and the books balance each time."""

import asyncio
from typing import Any

from contract.settings import Settings
from tests.support.http import Response, get, init, order, post
from tests.support.processes import running
from tests.support.refusals import refused
from tests.support.workshop import Workshop

UNKNOWN = "0190a0b0-c0d0-7000-8abc-0123456789ab"


async def left(gateway: Settings) -> int:
    """Units left."""
    return (await get(gateway.port, "/inventory/ps5")).json()["available"]


async def state(gateway: Settings, order_id: str) -> str:
    """What has become of an order."""
    return (await get(gateway.port, f"/status/{order_id}")).json()["state"]


async def buy(gateway: Settings, key: str = "key", quantity: int = 1) -> str:
    """Order, and give the order's id."""
    return (await order(gateway.port, key, quantity=quantity)).json()["orderId"]


async def cancel(gateway: Settings, order_id: str) -> Response:
    """Cancel an order."""
    return await post(gateway.port, f"/cancel/{order_id}")


async def settle(workshop: Workshop) -> list[Any]:
    """Let the worker handle all that waits; give the rows. The books must balance, with nothing on its way."""
    while await workshop.work():
        pass
    for book in await workshop.books():
        assert book.fault == "", book
        assert book.held == 0
    return await workshop.rows()


async def test_fifty_cancellations_at_once_return_the_units_once(gateway: Settings, workshop: Workshop) -> None:
    await init(gateway.port, quantity=10)
    order_id = await buy(gateway, quantity=3)
    answers = await asyncio.gather(*(cancel(gateway, order_id) for _ in range(50)))
    assert [answer.status for answer in answers] == [200] * 50
    assert [answer.json() for answer in answers] == [{"status": "cancelled", "orderId": order_id}] * 50
    assert (await left(gateway), await state(gateway, order_id)) == (10, "cancelled")
    rows = await settle(workshop)
    assert [(str(row["order_id"]), row["state"]) for row in rows] == [(order_id, "cancelled")]
    assert await left(gateway) == 10


async def test_a_cancellation_after_the_row_is_written_returns_the_unit_too(
    gateway: Settings, workshop: Workshop
) -> None:
    await init(gateway.port, quantity=10)
    order_id = await buy(gateway)
    await settle(workshop)
    assert await state(gateway, order_id) == "persisted"
    assert (await cancel(gateway, order_id)).status == 200
    assert await left(gateway) == 10
    assert [row["state"] for row in await settle(workshop)] == ["cancelled"]
    assert (await cancel(gateway, order_id)).json() == {"status": "cancelled", "orderId": order_id}
    assert (await left(gateway), await state(gateway, order_id)) == (10, "cancelled")
    await settle(workshop)


async def test_cancellations_that_race_the_worker_return_each_unit_once(gateway: Settings, workshop: Workshop) -> None:
    await init(gateway.port, quantity=50)
    ids = await asyncio.gather(*(buy(gateway, f"k{i}") for i in range(40)))
    _, *answers = await asyncio.gather(workshop.work(), *(cancel(gateway, name) for name in ids[:20] * 3))
    assert {answer.status for answer in answers} == {200}
    assert await left(gateway) == 30
    rows = await settle(workshop)
    states = {str(row["order_id"]): row["state"] for row in rows}
    assert states == {name: "cancelled" if name in ids[:20] else "persisted" for name in ids}
    assert await left(gateway) == 30


async def test_a_worker_that_holds_the_order_meanwhile_does_not_bring_it_back(
    gateway: Settings, workshop: Workshop
) -> None:
    await init(gateway.port, quantity=10)
    order_id = await buy(gateway)
    taken = await workshop.read()
    assert (await cancel(gateway, order_id)).status == 200
    await workshop.work(taken)
    assert await state(gateway, order_id) == "cancelled"
    assert [row["state"] for row in await settle(workshop)] == ["cancelled"]
    assert await left(gateway) == 10


async def test_an_order_of_an_earlier_sale_returns_nothing_to_the_new_one(
    gateway: Settings, workshop: Workshop
) -> None:
    await init(gateway.port, quantity=10, maxPerUser=5)
    before, written = await buy(gateway, "before", 2), await buy(gateway, "written", 3)
    await workshop.work()
    late = await order(gateway.port, "late", user="user-2")
    await init(gateway.port, quantity=6, maxPerUser=5)
    answers = await asyncio.gather(
        *(cancel(gateway, name) for name in [before, written, late.json()["orderId"]] for _ in range(10))
    )
    assert {answer.status for answer in answers} == {200}
    assert await left(gateway) == 6
    # Nor does it give the buyer more of the new sale than its limit.
    assert (await order(gateway.port, "new", quantity=5)).json()["status"] == "success"
    assert (await order(gateway.port, "more")).json()["status"] == "limit_reached"
    rows = await settle(workshop)
    assert sorted(row["state"] for row in rows) == ["cancelled"] * 3 + ["persisted"]
    assert await left(gateway) == 1


async def test_a_cancelled_key_stays_used(gateway: Settings, workshop: Workshop) -> None:
    await init(gateway.port, quantity=10)
    order_id = await buy(gateway)
    await cancel(gateway, order_id)
    again = await order(gateway.port, "key")
    assert again.json() == {"status": "ignored", "msg": "Duplicate request", "orderId": order_id}
    assert await left(gateway) == 10
    await settle(workshop)


async def test_an_order_that_nobody_made_is_not_found(gateway: Settings, workshop: Workshop) -> None:
    await init(gateway.port, quantity=10)
    order_id = await buy(gateway)
    # The same record, but not the same order: its time is another's.
    other_time = ("0" if order_id[0] != "0" else "1") + order_id[1:]
    another_lane = order_id[:15] + "fff" + order_id[18:]
    async with running(gateway, "worker", "orders"):
        for name in (UNKNOWN, other_time, another_lane, order_id.upper(), "none", "0" * 36):
            assert refused(await cancel(gateway, name), 404) == "There is no order of this id."
            refused(await get(gateway.port, f"/status/{name}"), 404)
    assert await left(gateway) == 9


async def test_a_body_is_neither_needed_nor_minded(gateway: Settings) -> None:
    await init(gateway.port, quantity=10)
    order_id = await buy(gateway)
    answer = await post(gateway.port, f"/cancel/{order_id}", {"reason": "x" * 30_000})
    assert answer.status == 200
    assert await left(gateway) == 10
