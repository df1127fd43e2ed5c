"""The lanes that the operator's commands look at, which are those in force, and the number that servers agree on."""

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


async def agree_on_lanes(settings: Settings) -> None:
    """Take the number of lanes of these settings for what is started now, or raise LanesDiffer."""
    redis = open_redis(settings, connections=1)
    try:
        await lua.agree_on_lanes(redis, settings.lanes)
    finally:
        await redis.aclose()
