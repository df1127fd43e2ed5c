"""Several lanes at once, on real servers: one process works in all of them, and none waits for another."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

import lua
from chaos.waiting import until
from contract.messages import Order, encode_order
from contract.order_ids import key_digest, make_order_id
from contract.settings import Settings
from contract.transport import Question
from lua import LaneKeys, Limits, Status
from tests.support.workshop import Workshop, open_workshop
from tests.workers.test_orders import SECRET
from workers import answers, orders, reaper
from workers.books import LOST_SALE
from workers.orders import ORDERS
from workers.run import consume
from workers.worker import Context, Outcome, Placed

LIMITS = Limits(100_000, 100_000, 0, 1_000_000)
PRODUCTS = ("product-0", "product-3", "product-5")
"""One for each of three lanes."""
UNITS = 10
SOON_S = 10.0


@pytest.fixture(params=[1, 3])
async def gate(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Workshop]:
    """A workshop of one lane, and of three."""
    async with open_workshop(msgspec.structs.replace(settings, lanes=request.param)) as opened:
        yield opened


@pytest.fixture
async def three(settings: Settings) -> AsyncIterator[Workshop]:
    """A workshop of three lanes."""
    async with open_workshop(msgspec.structs.replace(settings, lanes=3)) as opened:
        yield opened


def keys_of(gate: Workshop, product: str) -> LaneKeys:
    lanes = gate.context.settings.lanes
    return LaneKeys(lua.lane_of(product, lanes), lanes)


async def open_sales(gate: Workshop) -> None:
    await lua.agree_on_lanes(gate.context.redis, gate.context.settings.lanes)
    for product in PRODUCTS:
        await lua.open_sale(gate.context.redis, keys_of(gate, product), product, UNITS, 0)


async def place(gate: Workshop, key: str, product: str) -> str:
    """Admit an order in the lane of its product; gives its id."""
    keys, digest = keys_of(gate, product), key_digest(key, SECRET)
    order_id = make_order_id(1_700_000_000_000, keys.lane, digest)
    payload = encode_order(Order(product, "ann", 1, key))
    wanted = lua.Order(product, 1, "ann", digest, order_id, payload, "")
    verdict = await lua.admit(gate.context.redis, keys, LIMITS, [wanted], [])
    assert verdict.answers[0].status == Status.ACCEPTED
    return order_id


async def place_everywhere(gate: Workshop, prefix: str) -> set[str]:
    """An order of every product."""
    return {await place(gate, f"{prefix}-{product}", product) for product in PRODUCTS}


async def row_ids(gate: Workshop) -> set[str]:
    return {str(row["order_id"]) for row in await gate.rows()}


@contextlib.asynccontextmanager
async def consuming(gate: Workshop, *identities: str) -> AsyncIterator[None]:
    """Workers with these names, each in all lanes, inside the block."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for identity in identities or ("test",):
            tasks.create_task(consume(gate.context, ORDERS, identity, stop))
        try:
            yield
        finally:
            stop.set()


async def work_in_all(gate: Workshop) -> None:
    """Settle what waits in every lane, by hand."""
    for keys in lua.every_lane(gate.context.settings.lanes):
        await Workshop(gate.context._replace(keys=keys), gate.proving).work()


async def all_settled(gate: Workshop) -> bool:
    """Whether nothing waits in any lane."""
    lanes = lua.every_lane(gate.context.settings.lanes)
    return not any([await gate.context.redis.xlen(keys.outbox) for keys in lanes])


async def damage(gate: Workshop, product: str) -> LaneKeys:
    """Somebody puts something else where the outbox of a product's lane was; gives that lane."""
    keys, redis = keys_of(gate, product), gate.context.redis
    await redis.rename(keys.outbox, "{aside}")
    await redis.set(keys.outbox, "no stream")
    return keys


async def faults(gate: Workshop) -> dict[str, str]:
    return {book.product_id: book.fault for book in await gate.books()}


async def test_one_process_makes_rows_of_the_orders_of_every_lane(gate: Workshop) -> None:
    await open_sales(gate)
    ids = await place_everywhere(gate, "a")
    assert await faults(gate) == dict.fromkeys(PRODUCTS, ""), "while all of it is on its way"
    async with consuming(gate):
        await until(lambda: all_settled(gate), SOON_S)
    assert await row_ids(gate) == ids
    books = await gate.books()
    assert [(book.left, book.sold, book.fault) for book in books] == [(UNITS - 1, 1, "")] * len(PRODUCTS)


async def test_two_processes_share_every_lane_and_make_each_row_once(gate: Workshop) -> None:
    await open_sales(gate)
    async with consuming(gate, "one", "another"):
        for i in range(UNITS):
            await place_everywhere(gate, f"key-{i}")
        await until(lambda: all_settled(gate), SOON_S)
    assert len(await gate.rows()) == UNITS * len(PRODUCTS)
    assert await faults(gate) == dict.fromkeys(PRODUCTS, "")


async def test_a_lane_whose_outbox_is_no_stream_does_not_stop_the_others_and_works_again_once_mended(
    three: Workshop,
) -> None:
    await open_sales(three)
    await work_in_all(three)
    broken = PRODUCTS[1]
    lost = await place(three, "before", broken)
    keys = await damage(three, broken)
    others = {await place(three, f"after-{product}", product) for product in PRODUCTS if product != broken}
    async with consuming(three):

        async def others_are_rows() -> bool:
            return await row_ids(three) == others

        await until(others_are_rows, SOON_S)
        await three.context.redis.rename("{aside}", keys.outbox)

        async def all_are_rows() -> bool:
            return await row_ids(three) == others | {lost}

        await until(all_are_rows, SOON_S)


async def test_a_lane_that_waits_for_its_row_lock_does_not_keep_the_others_waiting(three: Workshop) -> None:
    await open_sales(three)
    await work_in_all(three)
    slow = PRODUCTS[2]
    ids = {product: await place(three, f"key-{product}", product) for product in PRODUCTS}
    async with three.context.pool.acquire() as connection:
        block = connection.transaction()
        await block.start()
        await connection.execute("SELECT FROM sales WHERE product_id = $1 FOR UPDATE", slow)
        async with consuming(three):

            async def others_are_rows() -> bool:
                return await row_ids(three) == {ids[product] for product in PRODUCTS if product != slow}

            await until(others_are_rows, SOON_S)
            await block.rollback()
    assert await row_ids(three) == set(ids.values()), "and at the stop the batch in hand is finished"


async def test_a_stop_lets_every_lane_finish_the_batch_in_its_hands(gate: Workshop) -> None:
    await open_sales(gate)
    await work_in_all(gate)
    ids = await place_everywhere(gate, "key")
    lanes, stop, begun = gate.context.settings.lanes, asyncio.Event(), set[int]()

    async def handle(context: Context, placed: list[Placed]) -> list[Outcome]:
        begun.add(context.keys.lane)
        if len(begun) == lanes:
            stop.set()
        await stop.wait()
        return await orders.handle(context, placed)

    async with asyncio.timeout(SOON_S):
        await consume(gate.context, ORDERS._replace(handle=handle), "test", stop)
    assert await row_ids(gate) == ids
    assert [await gate.context.redis.xlen(keys.outbox) for keys in lua.every_lane(lanes)] == [0] * lanes


async def published(gate: Workshop) -> list[list[tuple[str, str]]]:
    """What the reaper has published of each lane: products and faults."""
    found: list[list[tuple[str, str]]] = []
    for keys in lua.every_lane(gate.context.settings.lanes):
        proof: list[dict[str, Any]] = msgspec.json.decode(await lua.read_proof(gate.context.redis, keys) or b"[]")
        found.append([(book["product_id"], book["fault"]) for book in proof])
    return found


async def test_each_lane_has_a_proof_of_its_own_products(gate: Workshop) -> None:
    await open_sales(gate)
    await place_everywhere(gate, "a")
    assert await reaper.run_once(gate.proving) == 0
    expected = [(product, "") for product in PRODUCTS]
    assert await published(gate) == ([expected] if gate.context.settings.lanes == 1 else [[book] for book in expected])


async def test_a_lost_sale_is_shut_in_its_own_lane(three: Workshop) -> None:
    await open_sales(three)
    await work_in_all(three)
    await three.context.redis.flushall()
    await lua.agree_on_lanes(three.context.redis, 3)
    assert await reaper.run_once(three.proving) == len(PRODUCTS)
    assert await published(three) == [[(product, LOST_SALE)] for product in PRODUCTS]
    for product in PRODUCTS:
        look = [lua.Read("", product, "")]
        verdict = await lua.admit(three.context.redis, keys_of(three, product), LIMITS, [], look)
        assert verdict.answers[0].status == Status.NOT_READY


async def test_a_lane_that_is_damaged_is_told_by_its_books_and_the_others_are_proven(three: Workshop) -> None:
    await open_sales(three)
    await work_in_all(three)
    await place_everywhere(three, "a")
    await damage(three, PRODUCTS[1])
    assert await reaper.run_once(three.proving) == 1
    proofs = await published(three)
    assert (proofs[0], proofs[2]) == ([(PRODUCTS[0], "")], [(PRODUCTS[2], "")])
    ((product, fault),) = proofs[1]
    assert product == PRODUCTS[1]
    assert fault.startswith("lane 1 cannot be read: WRONGTYPE")


async def test_consumers_that_have_gone_are_forgotten_in_every_lane(
    gate: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_sales(gate)
    await work_in_all(gate)
    monkeypatch.setattr(reaper, "CONSUMER_IDLE_MS", -1)
    await reaper.run_once(gate.proving)
    for keys in lua.every_lane(gate.context.settings.lanes):
        assert await gate.context.redis.xinfo_consumers(keys.outbox, lua.GROUP_OF_ORDERS) == []


async def test_an_order_that_redis_has_forgotten_is_remembered_in_the_lane_that_its_id_names(gate: Workshop) -> None:
    await open_sales(gate)
    ids = await place_everywhere(gate, "a")
    await work_in_all(gate)
    redis = gate.context.redis
    records = await redis.keys("*:order:*")
    assert len(records) == len(PRODUCTS)
    await redis.delete(*records)
    asked = [Question(str(i), "answers:test", 2e12, order_id.encode()) for i, order_id in enumerate(sorted(ids))]
    assert await answers.answer(gate.context, asked) == len(ids)
    assert set(await redis.keys("*:order:*")) == set(records)


async def close_sales(gate: Workshop) -> None:
    """What an operator does before the number of lanes may change."""
    for product in PRODUCTS:
        await lua.open_sale(gate.context.redis, keys_of(gate, product), product, 0, 0)
    await work_in_all(gate)


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
async def test_books_balance_and_old_orders_can_be_cancelled_after_the_number_of_lanes_has_changed(
    settings: Settings, before: int, after: int
) -> None:
    async with open_workshop(msgspec.structs.replace(settings, lanes=before)) as old:
        await open_sales(old)
        ids = await place_everywhere(old, "old")
        await work_in_all(old)
        await close_sales(old)
    async with open_workshop(msgspec.structs.replace(settings, lanes=after)) as new:
        await lua.agree_on_lanes(new.context.redis, after)
        assert {book.fault for book in await new.books()} == {""}, "before anything is sold again"
        await open_sales(new)
        await place_everywhere(new, "new")
        await work_in_all(new)
        await cancel_all(new, sorted(ids))
        assert {book.fault for book in await new.books()} == {""}, "while the cancellations are on their way"
        await work_in_all(new)
        books = await new.books()
        assert {book.fault for book in books} == {""}
        assert [(book.left, book.sold) for book in books if book.open] == [(UNITS - 1, 1)] * len(PRODUCTS)
        assert sum(book.returned for book in books) == len(PRODUCTS)
        assert sorted(row["state"] for row in await new.rows()) == ["cancelled"] * 3 + ["persisted"] * 3


async def cancel_all(gate: Workshop, ids: list[str]) -> None:
    """Cancel orders as a gateway does: with a record from the worker where the own lane's has gone."""
    redis, lanes = gate.context.redis, gate.context.settings.lanes
    asked = [Question(order_id, "answers:test", 2e12, order_id.encode()) for order_id in ids]
    await answers.answer(gate.context, asked)
    rows = {str(row["order_id"]): row for row in await gate.rows()}
    for order_id in ids:
        keys = LaneKeys(lua.lane_of_order(int(order_id[15:18], 16), lanes), lanes)
        cancelled = await lua.cancel(
            redis,
            keys,
            digest=key_digest(rows[order_id]["idempotency_key"], SECRET),
            order_id=order_id,
            product_id=rows[order_id]["product_id"],
            quantity=1,
            buyer="ann",
        )
        assert cancelled == (lua.CancelStatus.CANCELLED, 1)
