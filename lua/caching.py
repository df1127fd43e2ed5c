"""Cached answers in Redis: the callers of `cache_lease.lua` and its neighbours, the plain read, and invalidation.

Whoever fills an answer takes a lease before he asks, and may keep what he gets only as long as the lease is his. An
invalidation deletes answer and lease together. So after a change and its invalidation nothing older can be found, in
whichever order fills and invalidations meet. Whoever takes a lease while a pattern is being looked for may be
overlooked, and that is right: he asks after the change.
"""

import re
import secrets
from collections.abc import AsyncGenerator, Iterable
from enum import IntEnum
from typing import Any, NamedTuple, cast

from redis.exceptions import ResponseError

from lua.keys import CACHE_FAMILIES, CACHE_NAME_MAX, cache_key, cache_prefix, cached_key
from lua.scripts import Client, call

CACHE_LEASE_KEYS = ("answer", "names")
CACHE_STORE_KEYS = ("answer", "names")
CACHE_RELEASE_KEYS = ("answer",)
NAMES_MAX = 50_000
"""Names of one family that have answers: at 2 KB an answer 110 MB. Whoever asks for ever new ones only displaces others
of the same family."""
PAGE = 100
"""Names that one step of a walk looks at: looking and deleting take Redis some 150 us each, and then others have their
turn."""
LISTED_MAX = 1000
_PATTERN = re.compile(rf"[!-~]{{1,{CACHE_NAME_MAX}}}")
_WILDCARD = re.compile(r"[*?]")
# What Redis takes for more than itself, and we do not.
_LITERAL = re.compile(r"[\[\]\\^]")


class LeaseStatus(IntEnum):
    """What `cache_lease.lua` says; its header tells what each means."""

    FRESH = 1
    LEASED = 2
    FILLING = 3


class Found(NamedTuple):
    """What Redis has for a name: the answer with its age, and the lease of whoever fills it now ("": nobody)."""

    value: bytes | None
    age_ms: int
    lease: str


class Listed(NamedTuple):
    """One cached answer, for operators: its bytes, its age, when it lapses, and whether somebody fills it."""

    name: str
    bytes: int
    age_ms: int | None
    lapses_in_ms: int
    filling: bool


class Invalidated(NamedTuple):
    """How many answers and leases an invalidation deleted, and in sentences what it could not do."""

    gone: int
    faults: tuple[str, ...]


def new_lease() -> str:
    """A name for a lease that no other has."""
    return secrets.token_hex(16)


async def read_cached(client: Client, name: str) -> Found:
    """What there is, without taking anything: most reads are hits, and cost Redis a tenth of the script."""
    async with cast(Any, client).pipeline(transaction=False) as pipe:
        pipe.time().hmget(cache_key(name), "value", "filled_ms", "lease", "lease_ends_ms")
        found: Any = await pipe.execute()
    (seconds, micros), (value, filled_ms, lease, ends_ms) = found
    now_ms = seconds * 1000 + micros // 1000
    age_ms = now_ms - int(filled_ms) if filled_ms else -1
    held = lease and int(ends_ms or 0) > now_ms
    return Found(value if age_ms >= 0 else None, age_ms, lease.decode() if held else "")


async def lease_cached(
    client: Client, name: str, lease: str, *, lease_s: float, fresh_s: float, names_max: int = NAMES_MAX
) -> tuple[LeaseStatus, Found]:
    """A fresh answer; or the lease of filling it; or the lease of somebody else who does."""
    keys = [cache_key(name), cached_key(_family(name))]
    args = [name, cache_prefix(name), lease, round(lease_s * 1000), round(fresh_s * 1000), names_max]
    status, in_force, age_ms, value = await call(client, "cache_lease", keys, args)
    return LeaseStatus(status), Found(value if age_ms >= 0 else None, age_ms, in_force.decode())


async def store_cached(client: Client, name: str, lease: str, value: bytes, *, kept_s: float) -> bool:
    """Keep an answer for `kept_s`; False when the lease is gone, to an invalidation or to somebody else."""
    keys = [cache_key(name), cached_key(_family(name))]
    return bool(await call(client, "cache_store", keys, [name, lease, round(kept_s * 1000), value]))


async def release_cached(client: Client, name: str, lease: str) -> bool:
    """Give a lease back without an answer; False when it is no longer ours."""
    return bool(await call(client, "cache_release", [cache_key(name)], [lease]))


async def invalidate(client: Client, patterns: Iterable[str]) -> Invalidated:
    """Delete the cached answers whose names match, and the leases of those who fill them now.

    `*` stands for any characters, `?` for one, everything else for itself. Raises the errors of connection, and
    whatever else another attempt may heal: after a change it has to be repeated, and doing so harms nothing. What no
    attempt would heal is told as a fault instead, for there is nothing to wait for.
    """
    gone, faults = 0, list[str]()
    for pattern in patterns:
        families = _families(pattern)
        if not families:
            faults.append(f"No cached answer can match {pattern[:CACHE_NAME_MAX]!r}.")
        for family in families:
            try:
                gone += await _drop(client, family, pattern)
            except ResponseError as error:
                if not str(error).startswith("WRONGTYPE"):
                    raise
                # Without its index a family can neither be filled nor be walked; its answers lapse by themselves.
                await cast(Any, client).unlink(cached_key(family))
                faults.append(f"The index of {family} was damaged, and is begun anew; {pattern!r} found nothing.")
    return Invalidated(gone, tuple(faults))


async def list_cached(client: Client, pattern: str = "*") -> list[Listed]:
    """The cached answers whose names match, in order of their names, at most LISTED_MAX."""
    names: set[str] = set()
    for family in _families(pattern):
        async for page in _pages(client, family, pattern):
            names.update(page)
    # Names outlive their answers in the index, so some of them are gone.
    return [found for name in sorted(names)[:LISTED_MAX] if (found := await _listed(client, name))]


async def _listed(client: Client, name: str) -> Listed | None:
    async with cast(Any, client).pipeline(transaction=False) as pipe:
        key = cache_key(name)
        pipe.time().hmget(key, "filled_ms", "lease_ends_ms").hstrlen(key, "value").pttl(key)
        (seconds, micros), (filled_ms, lease_ends_ms), length, ttl_ms = await pipe.execute()
    now_ms = seconds * 1000 + micros // 1000
    filling = int(lease_ends_ms or 0) > now_ms
    if not filled_ms and not filling:
        return None
    return Listed(name, length, now_ms - int(filled_ms) if filled_ms else None, max(ttl_ms, 0), filling)


def _family(name: str) -> str:
    return name.partition(":")[0]


def _families(pattern: str) -> tuple[str, ...]:
    """The families that a pattern may find names in."""
    if not _PATTERN.fullmatch(pattern):
        return ()
    first, colon, _ = pattern.partition(":")
    if not _WILDCARD.search(first):
        return (first,) if colon and first in CACHE_FAMILIES else ()
    # A wildcard stands for the colon and what follows it as well.
    beginning = _WILDCARD.split(pattern)[0]
    return tuple(family for family in CACHE_FAMILIES if f"{family}:".startswith(beginning))


async def _drop(client: Client, family: str, pattern: str) -> int:
    redis = cast(Any, client)
    if not _WILDCARD.search(pattern):
        return await redis.unlink(cache_key(pattern))
    gone = 0
    async for page in _pages(client, family, pattern):
        # The names stay in the index until they lapse: one may have a new lease by now, which has to be found again.
        gone += await redis.unlink(*(cache_key(name) for name in page))
    return gone


async def _pages(client: Client, family: str, pattern: str) -> AsyncGenerator[list[str]]:
    """The names of a family that match, as its index has them: all that stand in it from beginning to end."""
    literal = _LITERAL.sub(r"\\\g<0>", pattern)
    cursor = -1
    while cursor:
        cursor, found = await cast(Any, client).zscan(cached_key(family), max(cursor, 0), match=literal, count=PAGE)
        if found:
            yield [name.decode() for name, _ in found]
