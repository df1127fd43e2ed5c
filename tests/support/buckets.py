"""Fills the token bucket of a lane by hand, so that no test waits for it and none depends on speed."""

from typing import Any, cast

import lua

NANO = 1_000_000_000


async def put_tokens(client: lua.Client, tokens: int) -> None:
    """Make the bucket hold this many tokens now."""
    redis = cast(Any, client)
    seconds, micros = await redis.time()
    at_us = seconds * 1_000_000 + micros
    await redis.hset(lua.LaneKeys(0).bucket, mapping={"level": tokens * NANO, "at_us": at_us})
    # A bucket fills by time alone, and what it held is remembered; only news of the products makes a gateway ask again.
    for name in await redis.hkeys(lua.LaneKeys(0).sales):
        await redis.publish(lua.LaneKeys(0).gates, b"s" + name)


async def tokens_left(client: lua.Client) -> int:
    """Whole tokens that the bucket held when it was last charged."""
    level: bytes = await cast(Any, client).hget(lua.LaneKeys(0).bucket, "level")
    return int(level) // NANO
