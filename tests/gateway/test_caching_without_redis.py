"""The cache while Redis is away: what everybody sees is served old, and a person's own things are not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import lua
from chaos.waiting import until
from contract.errors import NotReady
from contract.settings import Settings
from contract.transport import open_redis
from gateway import caching
from gateway.caching import Cache
from gateway.last_answers import AGE_MAX_S, Cached
from tests.gateway.test_redis_away import Power

TIMEOUT_S = 0.2


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def one() -> bytes:
    return b"one"


async def two() -> bytes:
    return b"two"


async def nothing() -> bytes:
    raise NotReady("the worker cannot be asked")


@pytest.fixture
async def power(tmp_path: Path) -> AsyncIterator[Power]:
    power = Power(tmp_path / "valkey")
    yield power
    await power.off()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(power: Power) -> AsyncIterator[lua.Client]:
    client = open_redis(Settings(redis_url=await power.on(), redis_timeout_s=TIMEOUT_S))
    yield client
    await client.aclose()


@pytest.fixture
async def cache(client: lua.Client, clock: Clock) -> AsyncIterator[Cache]:
    cache = Cache(client, clock=clock)
    yield cache
    await cache.close()


def read(cache: Cache, fill: caching.Fill, name: str = "game:halo") -> Any:
    return cache.read(name, fill, fresh_s=10, stale_s=60)


async def test_without_redis_old_answers_are_served_and_with_it_new_ones(
    power: Power, cache: Cache, clock: Clock
) -> None:
    for name in ("game:halo", "user:7:cart"):
        assert await read(cache, one, name) == Cached(b"one", 0)
    await power.off()

    clock.now += 90
    assert await read(cache, nothing) == Cached(b"one", 90)
    assert (cache.stale, cache.fills) == (1, 2)
    # Somebody may have changed his own things since, so of them there is nothing to be said.
    with pytest.raises(NotReady):
        await read(cache, nothing, "user:7:cart")
    with pytest.raises(NotReady):
        await read(cache, nothing, "game:never-seen")
    assert await read(cache, two, "user:7:cart") == Cached(b"two", 0)
    clock.now += AGE_MAX_S - 89
    with pytest.raises(NotReady):
        await read(cache, nothing)

    await power.on()
    clock.now += caching.AWAY_S
    assert (await read(cache, two)).value == b"one"
    assert cache.hits == 1


async def test_without_redis_all_who_want_the_same_share_one_fill(power: Power, cache: Cache) -> None:
    await power.off()
    asked = 0
    may_answer = asyncio.Event()

    async def slow() -> bytes:
        nonlocal asked
        asked += 1
        await may_answer.wait()
        return b"one"

    async def all_wait() -> bool:
        return cache.misses == 50

    readers = [asyncio.create_task(read(cache, slow)) for _ in range(50)]
    await until(all_wait)
    may_answer.set()
    assert set(await asyncio.gather(*readers)) == {Cached(b"one", 0)}
    assert asked == 1


async def test_what_was_invalidated_is_not_served_when_redis_goes_away_after_a_look(
    power: Power, cache: Cache, client: lua.Client
) -> None:
    await read(cache, one)
    await lua.invalidate(client, ["game:*"])
    with pytest.raises(NotReady):
        await read(cache, nothing)
    await power.off()
    with pytest.raises(NotReady):
        await read(cache, nothing)


async def test_a_redis_that_is_silent_keeps_one_reader_waiting_and_not_all(
    cache: Cache, client: lua.Client, clock: Clock
) -> None:
    await read(cache, one)
    admin: Any = client
    await admin.execute_command("CLIENT", "PAUSE", round(4000 * TIMEOUT_S), "ALL")
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(100):
        assert (await read(cache, nothing)).value == b"one"
    assert TIMEOUT_S <= loop.time() - began < 3 * TIMEOUT_S
    clock.now += caching.AWAY_S

    async def answers() -> bool:
        try:
            return await admin.ping()
        except Exception:
            return False

    await until(answers)
    clock.now += caching.AWAY_S
    hits = cache.hits
    assert (await read(cache, nothing)).value == b"one"
    assert cache.hits == hits + 1
