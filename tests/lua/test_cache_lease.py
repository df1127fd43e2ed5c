"""The scripts of the cache: one fills, what an invalidation has overtaken is not kept, and the index stays small."""

import asyncio
from typing import Any

import pytest
from redis.exceptions import ResponseError

import lua
from lua import Found, LeaseStatus
from lua.keys import cache_key, cached_key
from tests.support.cache import fill, indexed, let_pass

HALO = "game:halo"
KEY, INDEX = cache_key(HALO), cached_key("game")
LEASE_S, FRESH_S, KEPT_S = 5, 10, 60


async def take(redis: lua.Client, lease: str, name: str = HALO, **limits: Any) -> tuple[LeaseStatus, Found]:
    terms = {"lease_s": LEASE_S, "fresh_s": FRESH_S, **limits}
    return await lua.lease_cached(redis, name, lease, **terms)


async def test_leased_is_who_comes_first(redis: lua.Client) -> None:
    assert await take(redis, "first") == (LeaseStatus.LEASED, Found(None, -1, "first"))


async def test_filling_is_told_to_all_others_with_the_lease_in_force(redis: lua.Client) -> None:
    await take(redis, "first")
    assert await take(redis, "second") == (LeaseStatus.FILLING, Found(None, -1, "first"))
    assert await lua.read_cached(redis, HALO) == Found(None, -1, "first")


async def test_leased_is_one_of_a_hundred_at_once(redis: lua.Client) -> None:
    answers = await asyncio.gather(*(take(redis, f"lease-{i}") for i in range(100)))
    (winner,) = [found.lease for status, found in answers if status is LeaseStatus.LEASED]
    assert {found.lease for _, found in answers} == {winner}


async def test_fresh_is_an_answer_younger_than_asked_for(redis: lua.Client) -> None:
    await fill(redis, HALO, b"a game")
    status, found = await take(redis, "late")
    assert (status, found.value, found.lease) == (LeaseStatus.FRESH, b"a game", "")
    assert 0 <= found.age_ms < 1000 * FRESH_S
    assert (await lua.read_cached(redis, HALO)).value == b"a game"


async def test_leased_is_told_the_old_answer_with_its_age(redis: lua.Client) -> None:
    await fill(redis, HALO, b"old", kept_s=KEPT_S)
    await let_pass(redis, HALO, FRESH_S)
    status, found = await take(redis, "mine")
    assert (status, found.value, found.lease) == (LeaseStatus.LEASED, b"old", "mine")
    assert 10_000 <= found.age_ms < 15_000
    assert await lua.store_cached(redis, HALO, "mine", b"new", kept_s=KEPT_S)
    assert (await lua.read_cached(redis, HALO)).value == b"new"


async def test_an_answer_outlives_its_time_while_its_successor_is_being_made(redis: lua.Client) -> None:
    await fill(redis, HALO, b"old", kept_s=KEPT_S)
    await let_pass(redis, HALO, KEPT_S - 1)
    await take(redis, "mine")
    assert await redis.pttl(KEY) > 1000 * (LEASE_S - 1)
    assert (await indexed(redis, "game"))[HALO] == await redis.pexpiretime(KEY)


async def test_a_lease_that_has_lapsed_is_given_to_the_next(redis: lua.Client) -> None:
    await fill(redis, HALO, b"old")
    await let_pass(redis, HALO, FRESH_S)
    await take(redis, "slow")
    await let_pass(redis, HALO, LEASE_S)
    assert (await lua.read_cached(redis, HALO)).lease == ""
    assert (await take(redis, "next"))[0] is LeaseStatus.LEASED
    assert not await lua.store_cached(redis, HALO, "slow", b"of before", kept_s=KEPT_S)
    assert not await lua.release_cached(redis, HALO, "slow")
    assert (await lua.read_cached(redis, HALO))._replace(age_ms=0) == Found(b"old", 0, "next")
    assert await lua.store_cached(redis, HALO, "next", b"new", kept_s=KEPT_S)


async def test_a_lease_counts_for_one_answer(redis: lua.Client) -> None:
    await take(redis, "mine")
    assert await lua.store_cached(redis, HALO, "mine", b"one", kept_s=KEPT_S)
    assert not await lua.store_cached(redis, HALO, "mine", b"two", kept_s=KEPT_S)


async def test_a_lease_that_is_given_back_can_be_had_at_once_and_leaves_the_old_answer(redis: lua.Client) -> None:
    await take(redis, "mine")
    assert await lua.release_cached(redis, HALO, "mine")
    assert not await redis.exists(KEY)
    await fill(redis, HALO, b"old")
    await let_pass(redis, HALO, FRESH_S)
    await take(redis, "mine")
    assert await lua.release_cached(redis, HALO, "mine")
    assert (await take(redis, "next"))[1]._replace(age_ms=0) == Found(b"old", 0, "next")


async def test_after_an_invalidation_the_lease_of_before_keeps_nothing(redis: lua.Client) -> None:
    await take(redis, "before")
    await redis.unlink(KEY)
    assert not await lua.store_cached(redis, HALO, "before", b"of before", kept_s=KEPT_S)
    assert (await take(redis, "after"))[0] is LeaseStatus.LEASED
    assert not await lua.store_cached(redis, HALO, "before", b"of before", kept_s=KEPT_S)
    assert await lua.store_cached(redis, HALO, "after", b"of after", kept_s=KEPT_S)


async def test_an_answer_from_the_future_is_none_and_a_lease_from_there_is_not_waited_for(redis: lua.Client) -> None:
    await fill(redis, HALO, b"of a clock that was put back")
    await let_pass(redis, HALO, -3600)
    assert await lua.read_cached(redis, HALO) == Found(None, pytest.approx(-3_600_000, abs=5000), "")
    assert await take(redis, "mine") == (LeaseStatus.LEASED, Found(None, -1, "mine"))
    await let_pass(redis, HALO, -3600)
    assert (await take(redis, "next"))[0] is LeaseStatus.LEASED


async def test_a_name_is_in_the_index_as_soon_as_it_has_a_lease_and_ends_there_with_its_answer(
    redis: lua.Client,
) -> None:
    await take(redis, "mine")
    assert await indexed(redis, "game") == {HALO: await redis.pexpiretime(KEY)}
    await lua.store_cached(redis, HALO, "mine", b"a game", kept_s=KEPT_S)
    assert await indexed(redis, "game") == {HALO: await redis.pexpiretime(KEY)}
    assert 1000 * (KEPT_S - 1) < await redis.pttl(KEY) <= 1000 * KEPT_S < await redis.pttl(INDEX)


async def test_names_that_have_lapsed_leave_the_index_with_the_leases_of_others(redis: lua.Client) -> None:
    old = [f"game:{i}" for i in range(40)]
    for name in old:
        await fill(redis, name)
    await fill(redis, "game:lives")
    for name in old:
        await let_pass(redis, name, 62)
    sizes = []
    for i in range(3):
        await take(redis, "mine", f"game:new-{i}")
        sizes.append(len(await indexed(redis, "game")))
    assert sizes == [41 + 1 - 16, 41 + 2 - 32, 1 + 3]
    assert set(await indexed(redis, "game")) == {"game:lives", "game:new-0", "game:new-1", "game:new-2"}


async def test_a_name_stays_a_moment_longer_than_its_answer(redis: lua.Client) -> None:
    await fill(redis, HALO)
    await let_pass(redis, HALO, 60.1)
    assert not await redis.exists(KEY)
    await take(redis, "mine", "game:other")
    assert HALO in await indexed(redis, "game")


async def test_the_index_of_a_family_that_nobody_reads_ends_with_its_last_answer(redis: lua.Client) -> None:
    await fill(redis, HALO, kept_s=60)
    await fill(redis, "game:short", kept_s=1)
    assert 60_000 < await redis.pttl(INDEX) <= 61_000


async def test_a_full_index_lets_go_of_the_answer_that_would_lapse_first(redis: lua.Client) -> None:
    for i in range(3):
        await fill(redis, f"game:{i}", kept_s=100 - i)
    await take(redis, "mine", "game:1", names_max=3, fresh_s=0)
    assert len(await indexed(redis, "game")) == 3
    await take(redis, "mine", "game:new", names_max=3)
    assert set(await indexed(redis, "game")) == {"game:0", "game:1", "game:new"}
    assert [await redis.exists(cache_key(f"game:{i}")) for i in range(3)] == [1, 1, 0]


@pytest.mark.parametrize("key", [KEY, INDEX])
async def test_a_key_of_another_type_fails_the_cache_before_any_write(redis: lua.Client, key: str) -> None:
    await take(redis, "mine")
    await redis.delete(key)
    await redis.sadd(key, "a set is what no script of ours uses")
    names = [KEY, INDEX]
    before = [await redis.dump(name) for name in names]
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await take(redis, "next", fresh_s=0)
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await lua.store_cached(redis, HALO, "mine", b"", kept_s=1)
    if key == KEY:
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await lua.release_cached(redis, HALO, "mine")
    assert [await redis.dump(name) for name in names] == before
