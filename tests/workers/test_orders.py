"""The orders worker on real servers: exactly one row per accepted order, whatever happens on the way."""

import asyncio
import itertools
from typing import Any

import pytest

import lua
from contract.messages import Order, decode_entry, encode_order
from contract.order_ids import key_digest, make_order_id
from contract.settings import Settings
from contract.transport import Delivery, Question
from lua import Limits, Status
from tests.support.workshop import Workshop
from workers import answers, orders
from workers.worker import Context, DeadLetter, Handle, Outcome, Placed, Retry, Worker

LIMITS = Limits(100_000, 100_000, 0, 1_000_000)
SECRET = b"s" * 32
MILLISECONDS = itertools.count(1_700_000_000_000)


async def place(workshop: Workshop, key: str, *, product: str = "ps5", user: str = "ann", quantity: int = 1) -> str:
    """Admit an order as a gateway would; gives its id."""
    digest = key_digest(key, SECRET)
    order_id = make_order_id(next(MILLISECONDS), 0, digest)
    payload = encode_order(Order(product, user, quantity, key))
    wanted = lua.Order(product, quantity, user, digest, order_id, payload, "")
    verdict = await lua.admit(workshop.context.redis, workshop.context.keys, LIMITS, [wanted], [])
    answer = verdict.answers[0]
    assert answer.status in (Status.ACCEPTED, Status.REPLAYED), answer
    return order_id if answer.status == Status.ACCEPTED else answer.detail.decode()


async def open_sale(workshop: Workshop, total: int, product: str = "ps5", limit: int = 0) -> int:
    return await lua.open_sale(workshop.context.redis, workshop.context.keys, product, total, limit)


async def stock(workshop: Workshop) -> int | None:
    return await lua.read_stock(workshop.context.redis, workshop.context.keys, "ps5")


async def balanced(workshop: Workshop) -> bool:
    books = await workshop.books()
    assert not [book.fault for book in books if book.fault]
    return True


async def test_every_accepted_order_becomes_one_row(workshop: Workshop) -> None:
    await open_sale(workshop, 10)
    ids = [await place(workshop, f"key-{i}") for i in range(10)]
    assert await workshop.work() == 11
    rows = await workshop.rows()
    assert [str(row["order_id"]) for row in rows] == ids
    assert {row["state"] for row in rows} == {"persisted"}
    assert await balanced(workshop)


@pytest.mark.parametrize(
    "name", ["NULL", '"', "\\", "{a,b}", "'; --", "a b", " ", "\u2028", "\u00a0", "\U0001f3ae", "\\n"]
)
async def test_names_of_every_form_are_written_as_they_are(workshop: Workshop, name: str) -> None:
    await open_sale(workshop, 5, product=name)
    for i, user in enumerate((name, "ann", name * 2)):
        await place(workshop, f"{i}-,{{}}NULL'", product=name, user=user)
    assert await workshop.work() == 4
    written = [(row["product_id"], row["user_id"], row["idempotency_key"]) for row in await workshop.rows()]
    assert written == [(name, user, f"{i}-,{{}}NULL'") for i, user in enumerate((name, "ann", name * 2))]


async def test_new_orders_beside_one_that_has_a_row_are_written_with_it(workshop: Workshop) -> None:
    await open_sale(workshop, 10)
    again = await place(workshop, "again")
    (opening, known) = await workshop.read("one")
    await orders.handle(workshop.context, placed([opening, known]))
    news = [await place(workshop, f"new-{i}") for i in range(3)]
    assert await workshop.work([opening, known, *await workshop.read()]) == 5
    assert [str(row["order_id"]) for row in await workshop.rows()] == [again, *news]
    assert await balanced(workshop)


async def test_an_entry_delivered_twice_makes_one_row(workshop: Workshop) -> None:
    await open_sale(workshop, 10)
    await place(workshop, "key")
    deliveries = await workshop.read()
    assert await workshop.work(deliveries) == 2
    assert await workshop.work(deliveries) == 0
    assert len(await workshop.rows()) == 1
    assert await balanced(workshop)


async def test_a_worker_that_dies_after_its_commit_leaves_nothing_to_repeat(workshop: Workshop) -> None:
    await open_sale(workshop, 10)
    await place(workshop, "key")
    deliveries = await workshop.read("dies")
    await orders.handle(workshop.context, placed(deliveries))  # and no settling: killed between the two
    await asyncio.sleep(workshop.context.settings.lease_s)
    claimed = await workshop.stream("heir").claim(int(workshop.context.settings.lease_s * 1000))
    assert [delivery.entry_id for delivery in claimed] == [delivery.entry_id for delivery in deliveries]
    assert await workshop.work(claimed) == 2
    assert len(await workshop.rows()) == 1
    assert await balanced(workshop)


async def test_an_order_whose_key_has_lapsed_becomes_a_visible_conflict_and_its_unit_returns(
    workshop: Workshop,
) -> None:
    await open_sale(workshop, 10)
    first = await place(workshop, "key")
    await workshop.work()
    await _forget_records(workshop)
    second = await place(workshop, "key")
    assert second != first
    assert await stock(workshop) == 8
    await workshop.work()
    assert await stock(workshop) == 9
    states = {str(row["order_id"]): row["state"] for row in await workshop.rows()}
    assert states == {first: "persisted", second: "failed"}
    assert await place(workshop, "key") == first, "the key answers with the order that it made first"
    assert await balanced(workshop)


async def test_an_order_that_no_unit_exists_for_is_kept_as_a_conflict_and_gives_nothing_back(
    workshop: Workshop,
) -> None:
    await open_sale(workshop, 1)
    await place(workshop, "key-1")
    (stock_key,) = await workshop.context.redis.keys("*stock*")
    await workshop.context.redis.set(stock_key, 1)  # somebody meddles with the stock
    await place(workshop, "key-2")
    assert await workshop.work() == 3
    assert [row["state"] for row in await workshop.rows()] == ["persisted", "failed"]
    assert await stock(workshop) == 0
    assert any(book.oversold == 1 for book in await workshop.books())


async def test_an_order_that_overtakes_the_opening_of_its_sale_waits_for_it(workshop: Workshop) -> None:
    await open_sale(workshop, 3)
    await place(workshop, "key")
    opening, order = await workshop.read()
    assert await workshop.work([order]) == 0
    assert await workshop.work([opening]) == 1
    assert await workshop.work([order]) == 1
    assert await balanced(workshop)


async def test_a_poison_entry_is_parked_with_its_reason_and_blocks_nobody(workshop: Workshop) -> None:
    await open_sale(workshop, 3)
    await workshop.context.redis.xadd(workshop.context.keys.outbox, {"kind": "orders", "at": "x", "id": "no json"})
    await place(workshop, "key")
    assert await workshop.work() == 3
    assert len(await workshop.rows()) == 1
    dead = await workshop.context.redis.xrange(workshop.context.keys.dead)
    assert dead[0][1][b"value"] == b"no json"
    assert b"ValueError" in dead[0][1][b"reason"]


async def test_one_bad_order_in_a_batch_is_parked_alone_and_can_be_replayed(workshop: Workshop) -> None:
    await open_sale(workshop, 5)
    bad = await place(workshop, "bad")
    for i in range(3):
        await place(workshop, f"good-{i}")
    refusing = Worker(group=orders.ORDERS.group, handle=_refuse(bad), query_file="orders", batch_entries=10)
    assert await workshop.work(worker=refusing) == 5
    assert len(await workshop.rows()) == 3
    books = await workshop.books()
    assert [(book.held, book.sold, book.fault) for book in books] == [(1, 3, "")], "parked is held, not lost"
    ((entry_id, fields),) = await workshop.context.redis.xrange(workshop.context.keys.dead)
    assert fields[b"name"].decode() == bad
    assert await lua.replay_dead(workshop.context.redis, workshop.context.keys, entry_id.decode())
    await workshop.work()
    assert len(await workshop.rows()) == 4
    assert await balanced(workshop)


async def test_an_entry_that_never_settles_is_dead_lettered_after_many_deliveries(workshop: Workshop) -> None:
    await open_sale(workshop, 5)
    await workshop.work()
    await place(workshop, "key")

    async def never(_context: Context, placed: list[Placed]) -> list[Outcome]:
        return [Retry("not today") for _ in placed]

    stubborn = Worker(group=orders.ORDERS.group, handle=never, query_file="orders", batch_entries=10)
    deliveries = await workshop.read()
    assert await workshop.work(deliveries, stubborn) == 0
    tired = [delivery._replace(deliveries=16) for delivery in deliveries]
    assert await workshop.work(tired, stubborn) == 1
    ((_, fields),) = await workshop.context.redis.xrange(workshop.context.keys.dead)
    assert fields[b"reason"] == b"delivered 16 times without being settled: not today"


async def test_an_order_that_redis_has_forgotten_is_found_in_postgres(workshop: Workshop, settings: Settings) -> None:
    await open_sale(workshop, 5)
    order_id = await place(workshop, "key")
    await workshop.work()
    await _forget_records(workshop)
    question = Question("1", "answers:test", 2e12, order_id.encode())
    assert await answers.answer(workshop.context, [question]) == 1
    ((_, fields),) = await workshop.context.redis.xrange("answers:test")
    assert fields[b"body"][1:37].decode() == order_id
    assert await place(workshop, "key") == order_id, "its key is remembered again, too"


@pytest.mark.parametrize("lost", ["row", "entry"])
async def test_the_books_notice_a_lost_order(workshop: Workshop, lost: str) -> None:
    await open_sale(workshop, 5)
    await workshop.work()
    await place(workshop, "key")
    if lost == "row":
        await workshop.work()
        async with workshop.context.pool.acquire() as connection:
            await connection.execute("DELETE FROM orders")
    else:
        ((entry_id, _),) = await workshop.context.redis.xrange(workshop.context.keys.outbox)
        await workshop.context.redis.xdel(workshop.context.keys.outbox, entry_id)
    assert [book.lost for book in await workshop.books()] == [1]


def placed(deliveries: list[Delivery]) -> list[Placed]:
    """Commands as a handler gets them."""
    found: list[Any] = [(i, item) for i, d in enumerate(deliveries) for item in decode_entry(d.fields)]
    return [Placed(1, i, item) for i, item in found]


def _refuse(order_id: str) -> Handle:
    async def handle(context: Context, placed: list[Placed]) -> list[Outcome]:
        kept = [item for item in placed if getattr(item.command, "order_id", "") != order_id]
        done = iter(await orders.handle(context, kept)) if kept else iter([])
        return [next(done) if item in kept else DeadLetter("refused") for item in placed]

    return handle


async def _forget_records(workshop: Workshop) -> None:
    for key in await workshop.context.redis.keys("*:order:*"):
        await workshop.context.redis.delete(key)


async def test_entries_of_a_read_that_broke_are_read_again_at_once(workshop: Workshop) -> None:
    await open_sale(workshop, 5)
    await place(workshop, "key")
    given = await workshop.read("broken")
    assert [delivery.entry_id for delivery in await workshop.stream("broken").read_again(10)] == [
        delivery.entry_id for delivery in given
    ]
    await workshop.work(given)
    assert await workshop.stream("broken").read_again(10) == []
