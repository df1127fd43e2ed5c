"""The caller of `throttle.lua`, and the marks of who is known: what keeps people from guessing passwords."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from lua.keys import throttle_key
from lua.scripts import Client, call

THROTTLE_KEYS = ()
NANO = 1_000_000_000


class Bucket(NamedTuple):
    """A token bucket: whom it counts, the seconds in which it gains a token, and how many it holds."""

    whom: str
    token_s: float
    burst: int


async def take_tokens(client: Client, buckets: Sequence[Bucket]) -> float:
    """Take a token from every bucket, or from none; gives the seconds until all of them hold one, 0 when they did."""
    return await _throttle(client, 1, buckets) / 1e6


async def empty_bucket(client: Client, bucket: Bucket) -> None:
    """Leave no token in a bucket: who really counts says that there is none."""
    await _throttle(client, 0, [bucket])


async def give_back(client: Client, buckets: Sequence[Bucket]) -> None:
    """Put a token back into every bucket."""
    await _throttle(client, -1, buckets)


async def mark_known(client: Client, whom: str, ttl_s: int) -> None:
    """Remember somebody for so many seconds."""
    await cast(Any, client).set(throttle_key(f"known {whom}"), b"", ex=ttl_s)


async def is_known(client: Client, whom: str) -> bool:
    """Whether somebody is remembered."""
    return bool(await cast(Any, client).exists(throttle_key(f"known {whom}")))


async def _throttle(client: Client, tokens: int, buckets: Sequence[Bucket]) -> int:
    args: list[float] = [tokens]
    for bucket in buckets:
        args += (1000 / bucket.token_s, bucket.burst * NANO)
    return int(await call(client, "throttle", [throttle_key(bucket.whom) for bucket in buckets], args))
