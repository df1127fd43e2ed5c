"""The cache of a gateway process on a real Valkey: one fill for all, old answers meanwhile, and changes that win.

Two caches stand for two processes: they share nothing but Redis.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import lua
from chaos.waiting import until
from contract.errors import Overloaded
from contract.settings import Settings
from contract.transport import open_redis
from gateway import caching
from gateway.caching import Cache
from gateway.last_answers import Cached
from lua.keys import cache_key
from tests.support.cache import let_pass

HALO, CART = "game:halo", "user:7:cart"
FRESH_S, STALE_S = 10.0, 60.0
WAIT_S = 0.2
"""Instead of a second, where a reader waits in vain."""


class Source:
    """What a worker would say: the value of the moment when it is asked, once it is let. It may fail instead."""

    def __init__(self, value: bytes = b"one") -> None:
        self.value = value
        self.fault: Exception | None = None
        self.asked = 0
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self) -> bytes:
        self.asked += 1
        value, may_answer = self.value, self.may_answer
        self.is_asked.set()
        await may_answer.wait()
        if self.fault is not None:
            raise self.fault
        return value

    def hold(self) -> None:
        """Let it answer only when it is told to."""
        self.may_answer = asyncio.Event()
        self.is_asked.clear()

    def change(self, value: bytes) -> asyncio.Event:
        """Say another value from now on, and at once; gives what lets those go on that were held."""
        held, self.may_answer = self.may_answer, asyncio.Event()
        self.value = value
        self.may_answer.set()
        return held


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
async def caches(settings: Settings) -> AsyncIterator[list[Cache]]:
    """The caches of two processes."""
    clients = [open_redis(settings, connections=8) for _ in range(2)]
    both = [Cache(client) for client in clients]
    yield both
    for cache, client in zip(both, clients, strict=True):
        await cache.close()
        await client.aclose()


@pytest.fixture
def cache(caches: list[Cache]) -> Cache:
    return caches[0]


def read(cache: Cache, source: Source, name: str = HALO) -> Any:
    return cache.read(name, source, fresh_s=FRESH_S, stale_s=STALE_S)


async def started(cache: Cache, source: Source, name: str = HALO) -> asyncio.Task[Cached]:
    """A reader whose fill has begun, and waits to be let."""
    source.hold()
    reader = asyncio.create_task(read(cache, source, name))
    await source.is_asked.wait()
    return reader


async def becomes(true: Callable[[], bool]) -> None:
    """Wait until something in this process is so."""

    async def look() -> bool:
        return true()

    await until(look)


async def filled(redis: lua.Client, name: str = HALO) -> bytes | None:
    return (await lua.read_cached(redis, name)).value


async def filled_with(redis: lua.Client, value: bytes) -> bool:
    return await filled(redis) == value


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
