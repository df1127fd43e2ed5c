"""The cache when something is wrong: fills that fail, hang or are too many, answers too large, damaged keys."""

import asyncio
from typing import Any

import pytest

import lua
from contract.errors import Overloaded
from gateway import caching
from gateway.caching import Cache
from gateway.last_answers import Cached
from lua.keys import cache_key
from tests.support.cache import let_pass
from tests.support.cached_reads import (
    HALO,
    WAIT_S,
    Source,
    becomes,
    filled,
    read,
    started,
)


async def test_a_fill_that_raises_is_told_to_all_who_wait_and_tried_again_by_the_next(
    caches: list[Cache], source: Source, redis: lua.Client
) -> None:
    first = await started(caches[0], source)
    others = [asyncio.create_task(read(caches[0], source)) for _ in range(9)]
    await becomes(lambda: caches[0].misses == 10)
    source.fault = LookupError("there is no such game")
    source.may_answer.set()
    told = await asyncio.gather(first, *others, return_exceptions=True)
    assert [str(error) for error in told] == ["there is no such game"] * 10
    source.fault = None
    assert await read(caches[1], source) == Cached(b"one", 0)
    assert (source.asked, await filled(redis)) == (2, b"one")


async def test_a_filler_that_died_is_waited_for_briefly_and_then_one_fills_for_all_here(
    cache: Cache, source: Source, redis: lua.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "WAIT_S", WAIT_S)
    await lua.lease_cached(redis, HALO, "of the dead", lease_s=60, fresh_s=1)
    cache = Cache(redis, lease_s=60)
    answers = await asyncio.gather(*(read(cache, source) for _ in range(30)))
    assert set(answers) == {Cached(b"one", 0)}
    assert source.asked == 1
    assert (await lua.read_cached(redis, HALO)) == lua.Found(None, -1, "of the dead")


async def test_a_reader_that_leaves_takes_nothing_from_the_others(cache: Cache, source: Source) -> None:
    first = await started(cache, source)
    second = asyncio.create_task(read(cache, source))
    await becomes(lambda: cache.misses == 2)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.may_answer.set()
    assert await second == Cached(b"one", 0)
    assert source.asked == 1


async def test_a_fill_that_outlasts_its_lease_is_ended(redis: lua.Client, source: Source) -> None:
    cache = Cache(redis, lease_s=0.05)
    source.hold()
    with pytest.raises(TimeoutError):
        await read(cache, source)
    assert not cache.busy


async def test_an_answer_that_is_too_large_is_served_and_not_kept(
    cache: Cache, source: Source, redis: lua.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "VALUE_BYTES_MAX", 3)
    source.value = b"four"
    assert await read(cache, source) == Cached(b"four", 0)
    assert await lua.read_cached(redis, HALO) == lua.Found(None, -1, "")


async def test_more_fills_than_may_run_are_refused_and_refreshes_wait(
    cache: Cache, source: Source, redis: lua.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "FLIGHTS_MAX", 1)
    await read(cache, Source(b"old"), "game:old")
    await let_pass(redis, "game:old", 30)
    waiting = await started(cache, source)
    with pytest.raises(Overloaded):
        await read(cache, source, "game:doom")
    assert (await read(cache, source, "game:old")).value == b"old"
    source.may_answer.set()
    assert (await waiting).value == b"one"
    assert (await read(cache, source, "game:doom")).value == b"one"
    assert source.asked == 2


async def test_closing_ends_what_runs(cache: Cache, source: Source, redis: lua.Client) -> None:
    waiting = await started(cache, source)
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not cache.busy
    assert await filled(redis) is None


async def test_a_damaged_key_costs_its_own_name_alone(cache: Cache, source: Source, redis: lua.Client) -> None:
    await read(cache, source, "game:doom")
    client: Any = redis
    await client.set(cache_key(HALO), "damage")
    assert await read(cache, source) == Cached(b"one", 0)
    await let_pass(redis, "game:doom", 5)
    assert (await read(cache, source, "game:doom")).age_s >= 5
    await lua.invalidate(redis, [HALO])
    await read(cache, source)
    assert await filled(redis) == b"one"


async def test_a_crowd_that_finds_nothing_takes_few_flights(
    caches: list[Cache], source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "FLIGHTS_MAX", 4)
    first = await started(caches[0], source)
    crowd = [asyncio.create_task(read(caches[i % 2], source)) for i in range(400)]
    await becomes(lambda: caches[0].misses + caches[1].misses == 401)
    source.may_answer.set()
    assert set(await asyncio.gather(first, *crowd)) == {Cached(b"one", 0)}
    assert source.asked == 1


async def test_a_crowd_at_once_on_a_cold_cache_takes_few_flights(
    caches: list[Cache], source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "FLIGHTS_MAX", 4)
    assert set(await asyncio.gather(*(read(caches[i % 2], source) for i in range(400)))) == {Cached(b"one", 0)}
    assert source.asked == 1
