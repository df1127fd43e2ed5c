"""The worker in several lanes at once, on real servers: one process works in all, and none waits for another."""

import asyncio

import msgspec
import pytest

import lua
from bench.ports import free_port
from chaos.waiting import until
from contract.settings import Settings
from tests.support.processes import running, stop
from tests.support.workshop import Workshop
from tests.workers.lanes import (
    PRODUCTS,
    SOON_S,
    UNITS,
    all_settled,
    consuming,
    damage,
    faults,
    open_sales,
    place,
    place_everywhere,
    published,
    row_ids,
    work_in_all,
)
from workers import orders
from workers.orders import ORDERS
from workers.run import consume
from workers.worker import Context, Outcome, Placed


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


@pytest.mark.slow
async def test_worker_and_reaper_as_processes_work_in_every_lane_and_end_when_they_are_told(three: Workshop) -> None:
    await open_sales(three)
    settings = three.context.settings
    async with running(settings, "worker", "orders") as worker, running(settings, "reaper") as proving:
        ids = await place_everywhere(three, "a")

        async def proven() -> bool:
            return await published(three) == [[(product, "")] for product in PRODUCTS]

        await until(lambda: all_settled(three), SOON_S)
        assert await row_ids(three) == ids
        await until(proven, SOON_S)
        assert [await stop(process) for process in (worker, proving)] == [0, 0]


@pytest.mark.slow
async def test_a_worker_that_waits_for_its_redis_ends_when_it_is_told(settings: Settings) -> None:
    away = msgspec.structs.replace(settings, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    async with running(away, "worker", "orders") as worker:

        async def waits() -> bool:
            assert worker.returncode is None
            return "waiting for a server" in (away.data_dir / "worker-orders.log").read_text()

        await until(waits, SOON_S)
        assert await stop(worker) == 0
