"""Invalidation: by name and by pattern, against a model, and whatever is being filled meanwhile."""

import asyncio
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import lua
from lua import Invalidated, LeaseStatus, caching
from lua.keys import CACHE_FAMILIES, cache_key, cached_key
from tests.support.cache import fill, indexed, let_pass

NAMES = [
    "game:halo",
    "game:halo2",
    "game:h.lo",
    "home:new",
    "catalog:1",
    "user:7:cart",
    "user:7:orders",
    "user:70:cart",
]
SPECIAL = "ab:[]\\^-{}!.+$("
tails = st.text(SPECIAL, max_size=6)
names = st.builds("{}:{}".format, st.sampled_from(CACHE_FAMILIES), tails)


@st.composite
def cases(draw: st.DrawFn) -> tuple[set[str], str]:
    """Names, and a pattern: one of them with some of its letters under wildcards, or none of them."""
    held = draw(st.sets(names, min_size=1, max_size=8))
    letters = draw(st.sampled_from(sorted(held)))
    meant = "".join(draw(st.sampled_from([letter, letter, "?", "*", "*" + letter])) for letter in letters)
    last = meant[-1]
    return held, draw(st.sampled_from([meant, meant, f"game:[{last}]", f"game:\\{last}", f"user:[^{last}]*"]))


def matches(pattern: str, name: str) -> bool:
    """What a pattern means: `*` any characters, `?` one, and all else itself."""
    meant = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(meant, name) is not None


async def left(redis: lua.Client) -> set[str]:
    """The names that still have an answer or a lease, whatever the index says of them."""
    found = {name.decode() async for name in redis.scan_iter(match="fluxgate:{cache:*", count=1000)}
    return {key.partition("}:")[2] for key in found} - {"names"}


@pytest.mark.parametrize(
    ("pattern", "gone"),
    [
        ("game:halo", {"game:halo"}),
        ("game:*", {"game:halo", "game:halo2", "game:h.lo"}),
        ("game:h?lo", {"game:halo", "game:h.lo"}),
        ("game:h.lo", {"game:h.lo"}),
        ("home:*", {"home:new"}),
        ("catalog:*", {"catalog:1"}),
        ("user:7:cart", {"user:7:cart"}),
        ("user:7:*", {"user:7:cart", "user:7:orders"}),
        ("user:*:cart", {"user:7:cart", "user:70:cart"}),
        ("*", set(NAMES)),
        ("*:*7*", {"user:7:cart", "user:7:orders", "user:70:cart"}),
        ("game:none", set()),
        ("order:*", set()),
    ],
)
async def test_what_matches_goes_and_nothing_else(redis: lua.Client, pattern: str, gone: set[str]) -> None:
    for name in NAMES:
        await fill(redis, name)
    assert await lua.invalidate(redis, [pattern]) == Invalidated(len(gone), ())
    assert await left(redis) == set(NAMES) - gone


@pytest.mark.slow
@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases())
@example(({"game:[a]", "game:a", "game:\\a", "game:\\[a]"}, "game:[a]*"))
@example(({"game:\\a", "game:a", "game:b"}, "game:\\?"))
@example(({"game:b", "game:^", "game:[^a]", "game:a-c"}, "game:[^a]*"))
@example(({"game:b", "game:[a-c]"}, "?ame:[a-c]"))
async def test_a_pattern_means_what_the_model_says_whatever_letters_it_holds(
    redis: lua.Client, case: tuple[set[str], str]
) -> None:
    held, pattern = case
    await redis.flushall()
    for name in held:
        await fill(redis, name)
    meant = {name for name in held if matches(pattern, name)}
    assert (await lua.invalidate(redis, [pattern])).gone == len(meant)
    assert await left(redis) == held - meant


async def test_several_patterns_at_once(redis: lua.Client) -> None:
    for name in NAMES:
        await fill(redis, name)
    assert await lua.invalidate(redis, ["user:7:cart", "game:*", "user:7:cart", "game:halo"]) == Invalidated(4, ())
    assert await lua.invalidate(redis, []) == Invalidated(0, ())


async def test_a_lease_goes_too_so_that_what_is_being_filled_is_not_kept(redis: lua.Client) -> None:
    for pattern in ("game:halo", "game:*", "*"):
        await lua.lease_cached(redis, "game:halo", "mine", lease_s=5, fresh_s=1)
        assert await lua.invalidate(redis, [pattern]) == Invalidated(1, ())
        assert not await lua.store_cached(redis, "game:halo", "mine", b"old", kept_s=60)


async def test_an_answer_that_was_invalidated_and_filled_anew_is_found_again(redis: lua.Client) -> None:
    for _ in range(3):
        await fill(redis, "game:halo")
        assert (await lua.invalidate(redis, ["game:*"])).gone == 1
    assert await left(redis) == set()


async def test_a_pattern_finds_all_of_more_names_than_one_page_holds(
    redis: lua.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "PAGE", 50)
    # Beyond 128 a small set becomes a large one, which is walked page by page.
    await asyncio.gather(*(fill(redis, f"game:{i}") for i in range(300)))
    await fill(redis, "home:new")
    await redis.config_resetstat()
    assert (await lua.invalidate(redis, ["game:*"])).gone == 300
    stats = await redis.info("commandstats")
    assert await left(redis) == {"home:new"}
    assert stats["cmdstat_zscan"]["calls"] >= 4
    assert set(stats) <= {"cmdstat_zscan", "cmdstat_unlink", "cmdstat_config|resetstat"}


async def test_a_name_without_wildcards_costs_one_command_and_no_walk(redis: lua.Client) -> None:
    await fill(redis, "user:7:cart")
    await redis.config_resetstat()
    await lua.invalidate(redis, ["user:7:cart"])
    stats = set(await redis.info("commandstats")) - {"cmdstat_config|resetstat"}
    assert stats == {"cmdstat_unlink"}


async def test_nothing_of_before_survives_however_fills_race_with_invalidations(redis: lua.Client) -> None:
    """A counter is changed and invalidated again and again, while readers fill the cache with what they saw."""
    truth = 0
    stop = asyncio.Event()

    async def read(reader: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            lease = f"{reader}-{turn}"
            status, _ = await lua.lease_cached(redis, "game:halo", lease, lease_s=5, fresh_s=60)
            if status is LeaseStatus.LEASED:
                seen = truth
                await redis.ping()
                await lua.store_cached(redis, "game:halo", lease, b"%d" % seen, kept_s=60)

    readers = [asyncio.create_task(read(i)) for i in range(3)]
    try:
        for truth in range(1, 61):
            await lua.invalidate(redis, ["game:*"])
            found = await lua.read_cached(redis, "game:halo")
            assert found.value is None or int(found.value) == truth
    finally:
        stop.set()
        await asyncio.gather(*readers)


@pytest.mark.parametrize(
    "pattern", ["", "game", "gmae:*", "nothing:1", "game:\n", "game:*\x00", "game:ä", "game:" + "a" * 200]
)
async def test_a_pattern_that_can_match_nothing_is_told_and_the_others_count(redis: lua.Client, pattern: str) -> None:
    await fill(redis, "home:new")
    done = await lua.invalidate(redis, [pattern, "home:*"])
    assert (done.gone, len(done.faults)) == (1, 1)
    assert "No cached answer can match" in done.faults[0]


async def test_a_damaged_index_is_told_begun_anew_and_keeps_nothing_else_from_going(redis: lua.Client) -> None:
    await fill(redis, "game:halo")
    await fill(redis, "home:new")
    await redis.set(cached_key("game"), "damage")
    done = await lua.invalidate(redis, ["game:*", "home:*"])
    assert done.gone == 1
    assert "index of game was damaged" in done.faults[0]
    await fill(redis, "game:doom")
    assert (await lua.invalidate(redis, ["game:*"])) == Invalidated(1, ())


async def test_a_damaged_answer_goes_like_any_other(redis: lua.Client) -> None:
    await fill(redis, "game:halo")
    await redis.set(cache_key("game:halo"), "damage")
    assert await lua.invalidate(redis, ["game:*"]) == Invalidated(1, ())


async def test_in_a_full_redis_answers_can_be_read_and_invalidated(redis: lua.Client) -> None:
    await fill(redis, "game:halo", b"a game")
    await fill(redis, "game:doom")
    await redis.config_set("maxmemory", 1)
    try:
        assert (await lua.read_cached(redis, "game:halo")).value == b"a game"
        assert (await lua.invalidate(redis, ["game:halo", "game:*"])) == Invalidated(2, ())
    finally:
        await redis.config_set("maxmemory", 0)


@pytest.mark.parametrize(
    "name", ["", "game", ":x", "gmae:halo", "game:*", "game:a?", "game:a b", "game:ä", "game:" + "a" * 200]
)
async def test_what_is_no_name_is_refused_before_anything_is_sent(name: str) -> None:
    client: Any = None
    with pytest.raises(ValueError, match="cannot be the name"):
        await lua.lease_cached(client, name, "mine", lease_s=1, fresh_s=1)


@pytest.mark.parametrize("name", NAMES)
def test_all_keys_of_a_family_lie_in_one_slot(name: str) -> None:
    family = name.partition(":")[0]
    tag = f"{{cache:{family}}}"
    assert cache_key(name).partition("}")[0] == cached_key(family).partition("}")[0]
    assert cache_key(name).index(tag) == cache_key(name).index("{")


async def test_the_list_tells_size_age_and_who_is_being_filled(redis: lua.Client) -> None:
    await fill(redis, "game:halo", b"12345", kept_s=60)
    await let_pass(redis, "game:halo", 20)
    await lua.lease_cached(redis, "game:doom", "mine", lease_s=5, fresh_s=1)
    await fill(redis, "game:gone")
    await redis.unlink(cache_key("game:gone"))
    await fill(redis, "home:new")
    doom, halo = await lua.list_cached(redis, "game:*")
    assert (doom.name, doom.bytes, doom.age_ms, doom.filling) == ("game:doom", 0, None, True)
    assert (halo.name, halo.bytes, halo.filling) == ("game:halo", 5, False)
    assert 20_000 <= (halo.age_ms or 0) < 25_000
    assert 35_000 < halo.lapses_in_ms <= 40_000
    assert [found.name for found in await lua.list_cached(redis)] == ["game:doom", "game:halo", "home:new"]
    assert "game:gone" in await indexed(redis, "game")
    assert [found.name for found in await lua.list_cached(redis, "home:new")] == ["home:new"]
