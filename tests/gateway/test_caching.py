"""The cache of a gateway process on a real Valkey: one fill for all, old answers meanwhile, and changes that win.

Two caches stand for two processes: they share nothing but Redis.
"""

import asyncio
from typing import Any

import pytest

import lua
from chaos.waiting import until
from gateway import caching
from gateway.caching import Cache
from gateway.last_answers import Cached
from tests.support.cache import let_pass
from tests.support.cached_reads import (
    CART,
    FRESH_S,
    HALO,
    STALE_S,
    Source,
    becomes,
    filled,
    filled_with,
    read,
    started,
)


async def test_a_hundred_readers_at_once_share_one_fill(cache: Cache, source: Source) -> None:
    source.hold()
    readers = [asyncio.create_task(read(cache, source)) for _ in range(100)]
    await source.is_asked.wait()
    readers += [asyncio.create_task(read(cache, source)) for _ in range(20)]
    await becomes(lambda: cache.misses == 120)
    source.may_answer.set()
    assert set(await asyncio.gather(*readers)) == {Cached(b"one", 0)}
    assert (source.asked, cache.fills, cache.misses, cache.hits) == (1, 1, 120, 0)
    assert await read(cache, source) == Cached(b"one", 0)
    assert (source.asked, cache.hits) == (1, 1)


async def test_two_processes_share_one_fill(caches: list[Cache], source: Source) -> None:
    first = await started(caches[0], source)
    others = [asyncio.create_task(read(caches[i % 2], source)) for i in range(50)]
    await becomes(lambda: caches[0].misses + caches[1].misses == 51)
    source.may_answer.set()
    assert set(await asyncio.gather(first, *others)) == {Cached(b"one", 0)}
    assert (source.asked, caches[0].fills, caches[1].fills) == (1, 1, 0)


async def test_an_old_answer_is_served_with_its_age_while_one_refresh_runs(
    caches: list[Cache], source: Source, redis: lua.Client
) -> None:
    await read(caches[0], source)
    await let_pass(redis, HALO, 30)
    source.value = b"two"
    source.hold()
    answers = await asyncio.gather(*(read(caches[i % 2], source) for i in range(40)))
    assert {answer.value for answer in answers} == {b"one"}
    assert all(30 <= answer.age_s <= 32 for answer in answers)
    await source.is_asked.wait()
    await becomes(lambda: not caches[0].busy or not caches[1].busy)
    client: Any = redis
    await client.config_resetstat()
    assert [(await read(caches[i % 2], source)).value for i in range(20)] == [b"one"] * 20
    # While it runs, nobody asks for a lease.
    assert "cmdstat_evalsha" not in await client.info("commandstats")
    source.may_answer.set()
    await until(lambda: filled_with(redis, b"two"))
    assert await read(caches[1], source) == Cached(b"two", 0)
    assert (source.asked, caches[0].stale + caches[1].stale) == (2, 60)


async def test_an_answer_that_is_too_old_is_waited_for(cache: Cache, source: Source, redis: lua.Client) -> None:
    await read(cache, source)
    await let_pass(redis, HALO, STALE_S)
    source.value = b"two"
    assert await read(cache, source) == Cached(b"two", 0)


async def test_a_refresh_that_fails_leaves_the_old_answer_and_is_not_tried_again_at_once(
    cache: Cache, source: Source, redis: lua.Client
) -> None:
    await read(cache, source)
    await let_pass(redis, HALO, 30)
    source.fault = RuntimeError("the worker is away")
    for _ in range(5):
        assert (await read(cache, source)).value == b"one"
        await becomes(lambda: source.asked == 2 and not cache.busy)
    await let_pass(redis, HALO, caching.LEASE_S)
    source.fault = None
    source.value = b"two"
    assert (await read(cache, source)).value == b"one"
    await until(lambda: filled_with(redis, b"two"))


async def test_an_old_answer_is_preferred_where_there_can_be_no_new_one(
    cache: Cache, source: Source, redis: lua.Client
) -> None:
    await read(cache, source)
    await let_pass(redis, HALO, 30)
    source.fault = RuntimeError("the worker is away")
    answer = await cache.read(HALO, source, fresh_s=1, stale_s=1)
    assert (answer.value, answer.age_s) == (b"one", pytest.approx(30, abs=2))


@pytest.mark.parametrize("pattern", [HALO, "game:*", "game:h?lo", "*"])
async def test_an_invalidation_during_a_fill_wins(
    caches: list[Cache], source: Source, redis: lua.Client, pattern: str
) -> None:
    waiting = await started(caches[0], source)
    assert (await lua.invalidate(redis, [pattern])).gone == 1
    source.may_answer.set()
    # Who asked before the change may have what was before it; nobody else.
    assert (await waiting).value == b"one"
    assert await filled(redis) is None
    source.value = b"two"
    for cache in (*caches, *caches):
        assert (await read(cache, source)).value == b"two"
    assert source.asked == 2


async def test_who_asks_after_an_invalidation_does_not_wait_for_the_fill_of_before(
    caches: list[Cache], source: Source, redis: lua.Client
) -> None:
    here = await started(caches[0], source, CART)
    there = asyncio.create_task(read(caches[1], source, CART))
    await becomes(lambda: caches[1].misses == 1)
    let_go = source.change(b"two")
    await lua.invalidate(redis, [CART])
    assert [(await read(cache, source, CART)).value for cache in caches] == [b"two", b"two"]
    let_go.set()
    assert (await here).value == b"one"
    assert (await there).value == b"two"
    assert await filled(redis, CART) == b"two"
    assert source.asked == 2


async def test_changes_and_readers_of_two_processes_never_show_what_was_before_a_change(
    caches: list[Cache], redis: lua.Client
) -> None:
    truth = 0
    stop = asyncio.Event()

    async def ask() -> bytes:
        seen = truth
        await redis.ping()
        return b"%d" % seen

    async def reading(cache: Cache) -> None:
        while not stop.is_set():
            least = truth_told
            answer = await cache.read(CART, ask, fresh_s=FRESH_S, stale_s=STALE_S)
            assert int(answer.value) >= least

    truth_told = 0
    readers = [asyncio.create_task(reading(caches[i % 2])) for i in range(6)]
    for change in range(1, 80):
        truth = change
        await lua.invalidate(redis, ["user:7:*" if change % 2 else CART])
        truth_told = change
    stop.set()
    await asyncio.gather(*readers)
