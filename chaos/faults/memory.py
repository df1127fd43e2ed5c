"""A Valkey that has reached its memory limit: it refuses what needs more, and goes on with all the rest."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any

from chaos.fault import Fault, Scene, Struck
from contract.settings import Settings
from contract.transport import open_redis
from fluxgate.embedded import resolve

# The memory is full for so long.
FULL_S = (3.0, 6.0)
# The limit, as a share of what is used. At the upper end what is settled makes room for a few orders, and then it is
# full again; at the lower end it is full all the time.
LIMIT = (0.5, 1.0)


async def out_of_memory(scene: Scene) -> Struck:
    """The memory is full for a while."""
    at = time.perf_counter()
    async with memory_full(scene.house.settings, scene.draw.uniform(*LIMIT)):
        await asyncio.sleep(scene.draw.uniform(*FULL_S))
    return Struck(at, time.perf_counter())


@contextlib.asynccontextmanager
async def memory_full(settings: Settings, share: float = LIMIT[0]) -> AsyncGenerator[None]:
    """Inside the block Valkey may use no more than this share of what it used at its begin, and refuses something."""
    redis: Any = open_redis(resolve(settings))
    try:
        limit = (await redis.config_get("maxmemory"))["maxmemory"]
        used = (await redis.info("memory"))["used_memory"]
        refused = await _refused(redis)
        await redis.config_set("maxmemory", int(used * share))
        try:
            yield
            assert await _refused(redis) > refused, "Valkey had memory enough all the time"
        finally:
            await redis.config_set("maxmemory", limit)
    finally:
        await redis.aclose()


async def _refused(redis: Any) -> int:
    """How many commands have been refused for want of memory since Valkey was started."""
    errors = await redis.info("errorstats")
    return errors.get("errorstat_OOM", {}).get("count", 0)


OUT_OF_MEMORY = [Fault("Valkey out of memory", out_of_memory)]
