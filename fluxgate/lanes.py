"""The lanes that the operator's commands look at: those that are in force, whatever FLUXGATE_LANES says here."""

import contextlib
from collections.abc import AsyncGenerator
from typing import NamedTuple

import lua
from contract.settings import Settings
from contract.transport import open_redis
from fluxgate.refusal import Refusal


class Lanes(NamedTuple):
    """A client of Redis, and the keys of the lanes to look at."""

    redis: lua.Client
    keys: tuple[lua.LaneKeys, ...]


@contextlib.asynccontextmanager
async def lanes_of(settings: Settings, only: int | None = None) -> AsyncGenerator[Lanes]:
    """The lanes in force, or `only` one of them, inside the block. Raises Refusal when there is no such lane."""
    redis = open_redis(settings)
    try:
        every = lua.every_lane(await lua.lanes_in_force(redis) or settings.lanes)
        chosen = tuple(keys for keys in every if only in (None, keys.lane))
        if not chosen:
            raise Refusal(f"There is no lane {only}: there are {len(every)}, counted from 0.")
        yield Lanes(redis, chosen)
    finally:
        await redis.aclose()
