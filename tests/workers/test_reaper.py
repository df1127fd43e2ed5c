"""The reaper on real servers: it proves, it publishes, and it shuts what Redis has lost."""

import msgspec

import lua
from lua import Limits, Status
from tests.support.workshop import Workshop
from workers import reaper

LIMITS = Limits(1000, 1000, 0, 1000)


async def open_sale(workshop: Workshop, total: int) -> None:
    await lua.open_sale(workshop.context.redis, workshop.context.keys, "ps5", total, 0)
    await workshop.work()


async def decide(workshop: Workshop) -> int:
    order = lua.Order("ps5", 1, "ann", "8" * 16, "x" * 36, b'["ps5","ann",1,"key"]', "")
    verdict = await lua.admit(workshop.context.redis, workshop.context.keys, LIMITS, [order], [])
    return verdict.answers[0].status


async def test_the_proof_is_published_for_the_metrics(workshop: Workshop) -> None:
    await open_sale(workshop, 5)
    assert await reaper.run_once(workshop.proving) == 0
    proof = await lua.read_proof(workshop.context.redis, workshop.context.keys)
    assert proof is not None
    assert [book["left"] for book in msgspec.json.decode(proof)] == [5]


async def test_a_sale_that_redis_has_lost_is_not_ready_rather_than_unknown(workshop: Workshop) -> None:
    await open_sale(workshop, 5)
    await workshop.context.redis.flushall()
    assert await decide(workshop) == Status.UNKNOWN_PRODUCT
    assert await reaper.run_once(workshop.proving) == 1
    assert await decide(workshop) == Status.NOT_READY
    assert await reaper.run_once(workshop.proving) == 1, "it stays an alarm"


async def test_a_lost_sale_sells_again_once_it_is_opened_anew_and_its_books_are_closed(workshop: Workshop) -> None:
    await open_sale(workshop, 5)
    await workshop.context.redis.flushall()
    await reaper.run_once(workshop.proving)
    await open_sale(workshop, 3)
    assert await decide(workshop) == Status.ACCEPTED
    books = await workshop.books()
    assert [(book.left, book.fault) for book in books] == [(None, ""), (2, "")], "what was left, nobody can know"


async def test_a_sale_that_was_opened_anew_before_its_loss_was_seen_is_no_alarm_for_ever(workshop: Workshop) -> None:
    await open_sale(workshop, 5)
    await workshop.context.redis.flushall()
    await open_sale(workshop, 3)
    assert await reaper.run_once(workshop.proving) == 0
    assert await decide(workshop) == Status.ACCEPTED


async def test_consumers_that_have_gone_are_forgotten_only_when_they_hold_nothing(workshop: Workshop) -> None:
    await open_sale(workshop, 5)
    await decide(workshop)
    await workshop.read("holds")
    await workshop.read("idle")
    context, group = workshop.context, lua.GROUP_OF_ORDERS
    gone = await lua.forget_consumers(context.redis, context.keys, group, -1)
    assert gone == 2, "idle, and the one that settled the opening"
    names = [info["name"] for info in await context.redis.xinfo_consumers(context.keys.outbox, group)]
    assert names == [b"holds"]
