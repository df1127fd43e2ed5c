"""Resets of a running sale, the limit of the backlog, the operator's key: followed to Postgres."""

import asyncio

import msgspec

from contract.settings import Settings
from tests.support.http import get, init, order, post
from tests.support.processes import running_gateway
from tests.support.refusals import refused
from tests.support.workshop import Workshop

ADMIN_KEY = "an operator's key of some length"


async def balanced(workshop: Workshop) -> None:
    """Let the worker handle all that waits; the books must balance, with nothing on its way."""
    while await workshop.work():
        pass
    for book in await workshop.books():
        assert (book.fault, book.held) == ("", 0), book


async def test_orders_in_flight_at_a_reset_count_for_the_sale_that_took_them(
    gateway: Settings, workshop: Workshop
) -> None:
    await init(gateway.port, quantity=10)
    before = [(await order(gateway.port, f"old-{i}")).json()["orderId"] for i in range(4)]
    taken = await workshop.read()
    assert (await init(gateway.port, quantity=7)).status == 200
    after = [(await order(gateway.port, f"new-{i}")).json()["orderId"] for i in range(2)]
    await workshop.work(taken)
    assert (await get(gateway.port, "/inventory/ps5")).json()["available"] == 5
    await balanced(workshop)
    epochs = {str(row["order_id"]): row["epoch"] for row in await workshop.rows()}
    assert set(epochs) == {*before, *after}
    old, new = {epochs[name] for name in before}, {epochs[name] for name in after}
    assert (len(old), len(new)) == (1, 1)
    assert max(old) < min(new)
    books = {book.epoch: book for book in await workshop.books()}
    assert {(book.initial, book.sold) for book in books.values()} == {(10, 4), (7, 2)}


async def test_resets_in_the_middle_of_a_crowd_lose_and_invent_nothing(gateway: Settings, workshop: Workshop) -> None:
    await init(gateway.port, quantity=20)
    buyers = [order(gateway.port, f"k{i}", user=f"u{i}") for i in range(120)]
    resets = [init(gateway.port, quantity=20) for _ in range(3)]
    crowd = [*buyers[:30], resets[0], *buyers[30:60], resets[1], *buyers[60:90], resets[2], *buyers[90:]]
    answers = await asyncio.gather(*crowd)
    assert {answer.status for answer in answers} <= {200, 409}
    sold = {answer.json()["orderId"] for answer in answers if "orderId" in answer.json()}
    await balanced(workshop)
    assert {str(row["order_id"]) for row in await workshop.rows()} == sold


async def test_a_key_used_before_a_reset_stays_used(gateway: Settings, workshop: Workshop) -> None:
    await init(gateway.port, quantity=10)
    first = (await order(gateway.port, "key")).json()["orderId"]
    await init(gateway.port, quantity=10)
    again = (await order(gateway.port, "key")).json()
    assert (again["status"], again["orderId"]) == ("ignored", first)
    assert (await get(gateway.port, "/inventory/ps5")).json()["available"] == 10
    await balanced(workshop)


async def test_a_full_backlog_takes_no_more_orders_until_the_worker_has_caught_up(
    settings: Settings, workshop: Workshop
) -> None:
    async with running_gateway(msgspec.structs.replace(settings, backlog_max=3)) as gateway:
        await init(gateway.port, quantity=10)  # the opening is a command of its own
        assert [(await order(gateway.port, f"k{i}")).status for i in range(2)] == [200, 200]
        answer = await order(gateway.port, "waits")
        assert "same key" in refused(answer, 503)
        assert int(answer.headers["retry-after"]) >= 1
        # A replay needs no room.
        assert (await order(gateway.port, "k0")).json()["status"] == "ignored"
        assert (await get(gateway.port, "/inventory/ps5")).json()["available"] == 8
        await balanced(workshop)
        assert (await order(gateway.port, "waits")).json()["status"] == "success"
    await balanced(workshop)


async def test_where_there_is_an_operators_key_only_its_holder_opens_sales(settings: Settings) -> None:
    async with running_gateway(msgspec.structs.replace(settings, admin_key=ADMIN_KEY)) as gateway:
        document = {"productId": "ps5", "quantity": 3}
        for given in ({}, {"X_Admin_Key": ""}, {"X_Admin_Key": ADMIN_KEY[:-1]}, {"X_Admin_Key": ADMIN_KEY + "x"}):
            assert "X-Admin-Key" in refused(await post(gateway.port, "/init", document, **given), 401)
        # Whoever may not open a sale is not told either whether its body was right.
        refused(await post(gateway.port, "/init", {"quantity": -1}), 401)
        assert (await get(gateway.port, "/inventory/ps5")).status == 404
        assert (await post(gateway.port, "/init", document, X_Admin_Key=ADMIN_KEY)).status == 200
        # Buyers need no key.
        assert (await order(gateway.port, "k")).status == 200
