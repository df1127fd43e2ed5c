"""Openings of one product that reach Postgres in another order than Redis made them."""

import lua
from tests.support.workshop import Workshop


async def test_an_opening_that_overtakes_the_one_before_still_closes_its_books(workshop: Workshop) -> None:
    redis, keys = workshop.context.redis, workshop.context.keys
    first = await lua.open_sale(redis, keys, "ps5", 10, 0)
    # A worker takes the first opening and dies; the next worker meets the second before the lease of the first lapses.
    held = await workshop.read("dies")
    second = await lua.open_sale(redis, keys, "ps5", 5, 0)
    assert [book.fault for book in await workshop.books()] == ["", ""]
    newer = await workshop.read("lives")
    await workshop.work(newer)
    assert [book.fault for book in await workshop.books()] == ["", ""], "closed before it was opened"
    await workshop.work(held)
    if await redis.xlen(keys.outbox):
        # What had to wait for the first opening comes back after the lease.
        await workshop.work(newer)
    books = {book.epoch: book for book in await workshop.books()}
    assert [books[epoch].fault for epoch in (first, second)] == ["", ""]
    assert (books[first].open, books[first].left, books[second].left) == (False, 10, 5)
