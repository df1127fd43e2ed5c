"""How fast an upstream has said to let somebody go: what one process is told, all of them keep to."""

from typing import Any, cast

from lua.keys import pace_key
from lua.scripts import Client


async def learn_pace(client: Client, whom: str, rate_per_s: float, ttl_s: int) -> None:
    """Keep a rate for so many seconds."""
    await cast(Any, client).set(pace_key(whom), repr(rate_per_s), ex=ttl_s)


async def learned_pace(client: Client, whom: str) -> float | None:
    """The rate that was told last; None where none is known."""
    told: bytes | None = await cast(Any, client).get(pace_key(whom))
    return None if told is None else float(told)
