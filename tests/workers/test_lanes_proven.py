"""The reaper and the answers over several lanes, and what becomes of both when the number of lanes changes."""

import msgspec
import pytest

import lua
from contract.order_ids import key_digest
from contract.settings import Settings
from contract.transport import Question
from lua import LaneKeys, Status
from tests.support.workshop import Workshop, open_workshop
from tests.workers.lanes import (
    LIMITS,
    PRODUCTS,
    UNITS,
    damage,
    keys_of,
    open_sales,
    place_everywhere,
    published,
    work_in_all,
)
from tests.workers.test_orders import SECRET
from workers import answers, reaper
from workers.books import LOST_SALE


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
