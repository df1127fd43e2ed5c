"""Cancellations on their way to Postgres: whatever overtakes them, no order misses the unit that they gave back."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import lua
from contract.order_ids import parse_order_id
from tests.support.workshop import Workshop
from tests.workers.test_orders import balanced, open_sale, place, placed, stock
from workers import orders
from workers.worker import Done, Retry


async def cancel(workshop: Workshop, order_id: str, key: str, quantity: int = 1) -> lua.CancelStatus:
    found = parse_order_id(order_id)
    assert found
    order = {"order_id": order_id, "product_id": "ps5", "quantity": quantity, "buyer": "ann"}
    status, _ = await lua.cancel(workshop.context.redis, workshop.context.keys, digest=found[1], **order)
    return status


async def test_an_order_for_a_unit_that_was_given_back_is_written_with_its_cancellation_in_one_batch(
    workshop: Workshop,
) -> None:
    await open_sale(workshop, 1)
    first = await place(workshop, "key-1")
    await cancel(workshop, first, "key-1")
    second = await place(workshop, "key-2")
    await cancel(workshop, second, "key-2")
    await place(workshop, "key-3")
    await workshop.work()
    assert [row["state"] for row in await workshop.rows()] == ["cancelled", "cancelled", "persisted"]
    assert await balanced(workshop)


async def test_an_order_that_overtakes_the_cancellation_that_freed_its_unit_waits_for_it(workshop: Workshop) -> None:
    await open_sale(workshop, 1)
    first = await place(workshop, "key-1")
    await workshop.work()
    await cancel(workshop, first, "key-1")
    taken_by_another = await workshop.read("another")
    await place(workshop, "key-2")
    assert await workshop.work() == 0
    assert [row["state"] for row in await workshop.rows()] == ["persisted"]
    assert await balanced(workshop)
    assert await workshop.work(taken_by_another) == 1
    assert await workshop.work(await workshop.stream().read_again(10)) == 1
    assert [row["state"] for row in await workshop.rows()] == ["cancelled", "persisted"]
    assert await balanced(workshop)


async def test_an_order_waits_for_a_cancellation_that_is_younger_than_itself(workshop: Workshop) -> None:
    await open_sale(workshop, 2)
    await workshop.work()
    await place(workshop, "slow")
    slow = await workshop.read("slow")
    second = await place(workshop, "key-2")
    await workshop.work()
    await cancel(workshop, second, "key-2")
    taken_by_another = await workshop.read("another")
    await place(workshop, "key-3")
    assert await workshop.work() == 1, "it has the unit that the slow one will miss"
    assert await workshop.work(slow) == 0
    assert await workshop.work(taken_by_another) == 1
    assert await workshop.work(slow) == 1
    assert [row["state"] for row in await workshop.rows()] == ["persisted", "cancelled", "persisted"]
    assert await balanced(workshop)


async def test_an_order_whose_own_cancellation_has_sold_its_unit_again_does_not_wait_for_it(workshop: Workshop) -> None:
    await open_sale(workshop, 1)
    await workshop.work()
    first = await place(workshop, "key-1")
    slow = await workshop.read("slow")
    await cancel(workshop, first, "key-1")
    early = await workshop.read()
    assert await workshop.work(early) == 0, "there is nothing to cancel yet"
    await place(workshop, "key-2")
    assert await workshop.work() == 1
    assert await workshop.work(slow) == 1
    assert await balanced(workshop)
    assert await workshop.work(early) == 1
    assert [row["state"] for row in await workshop.rows()] == ["cancelled", "persisted"]
    assert await balanced(workshop)


async def test_a_cancellation_is_not_done_when_its_order_is_written_beside_it(workshop: Workshop) -> None:
    await open_sale(workshop, 1)
    order_id = await place(workshop, "key")
    opening_and_order = placed(await workshop.read("another"))
    await cancel(workshop, order_id, "key")
    cancellation = placed(await workshop.read())
    async with workshop.context.pool.acquire() as other:
        writing = other.transaction()
        await writing.start()
        await orders.handle(workshop.context._replace(pool=Lent(other)), opening_and_order)
        async with workshop.context.pool.acquire() as own:
            meeting = Meeting(own, workshop.context.queries["find_orders"], writing.commit)
            (outcome,) = await orders.handle(workshop.context._replace(pool=Lent(meeting)), cancellation)
    assert isinstance(outcome, Retry)
    assert await orders.handle(workshop.context, cancellation) == [Done(lua.CANCELLED)]


async def test_a_cancellation_reaches_postgres_and_the_unit_returns_once(workshop: Workshop) -> None:
    await open_sale(workshop, 5)
    order_id = await place(workshop, "key", quantity=3)
    await workshop.work()
    for _ in range(3):
        assert await cancel(workshop, order_id, "key", 3) == lua.CancelStatus.CANCELLED
    assert await stock(workshop) == 5
    assert await balanced(workshop), "while the cancellation is on its way"
    await workshop.work()
    assert [row["state"] for row in await workshop.rows()] == ["cancelled"]
    assert await balanced(workshop)


async def test_an_order_cancelled_before_it_is_persisted_is_persisted_as_cancelled(workshop: Workshop) -> None:
    await open_sale(workshop, 5)
    order_id = await place(workshop, "key")
    assert await cancel(workshop, order_id, "key") == lua.CancelStatus.CANCELLED
    assert await balanced(workshop)
    await workshop.work()
    assert [row["state"] for row in await workshop.rows()] == ["cancelled"]
    assert await balanced(workshop)


async def test_orders_in_flight_when_a_sale_is_reset_count_against_the_old_epoch(workshop: Workshop) -> None:
    old = await open_sale(workshop, 3)
    await place(workshop, "key-1")
    doomed = await place(workshop, "key-2")
    new = await open_sale(workshop, 7)
    assert new > old
    await cancel(workshop, doomed, "key-2")
    assert await stock(workshop) == 7, "a unit of the old epoch is no unit of the new one"
    assert await balanced(workshop)
    await workshop.work()
    books = {book.epoch: book for book in await workshop.books()}
    assert (books[old].left, books[old].sold, books[old].returned) == (1, 1, 1)
    assert (books[new].left, books[new].sold, books[new].returned) == (7, 0, 0)
    assert await balanced(workshop)


class Lent:
    """A pool of one connection, which somebody else has opened."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        yield self._connection


class Meeting:
    """A connection on which something else happens just before one query."""

    def __init__(self, connection: Any, query: str, happens: Callable[[], Awaitable[None]]) -> None:
        self._connection = connection
        self._query = query
        self._happens = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetch(self, query: str, *arguments: Any) -> Any:
        if query == self._query:
            await self._happens()
        return await self._connection.fetch(query, *arguments)
