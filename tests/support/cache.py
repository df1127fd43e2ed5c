"""Cached answers as the tests look at them: what Redis holds for a name, and how to let time pass for it."""

from typing import Any, cast

import lua
from lua.keys import cache_key, cached_key


async def let_pass(client: lua.Client, name: str, seconds: float) -> None:
    """Make everything about an answer older, as if so much time had passed; it may lapse by that."""
    redis, key, ms = cast(Any, client), cache_key(name), round(seconds * 1000)
    ends_ms = await redis.pexpiretime(key)
    for field in ("filled_ms", "lease_ends_ms"):
        if await redis.hexists(key, field):
            await redis.hincrby(key, field, -ms)
    if ends_ms > 0:
        await redis.pexpireat(key, ends_ms - ms)
    index = cached_key(name.partition(":")[0])
    if await redis.zscore(index, name) is not None:
        await redis.zincrby(index, -ms, name)


async def fill(client: lua.Client, name: str, value: bytes = b"{}", *, kept_s: float = 60) -> None:
    """Put an answer into the cache as a gateway does."""
    lease = lua.new_lease()
    status, _ = await lua.lease_cached(client, name, lease, lease_s=5, fresh_s=0)
    assert status is lua.LeaseStatus.LEASED
    assert await lua.store_cached(client, name, lease, value, kept_s=kept_s)


async def indexed(client: lua.Client, family: str) -> dict[str, int]:
    """The names in the index of a family, each with when it lapses, in milliseconds since 1970."""
    found = await cast(Any, client).zrange(cached_key(family), 0, -1, withscores=True)
    return {name.decode(): int(score) for name, score in found}
