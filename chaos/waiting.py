"""Waiting for what another process does, where no event of it can be awaited."""

import asyncio
from collections.abc import Awaitable, Callable

PROBE_EVERY_S = 0.02


async def until(true: Callable[[], Awaitable[object]], within_s: float = 10.0) -> None:
    """Ask until the answer is true; TimeoutError after `within_s`."""
    async with asyncio.timeout(within_s):
        while not await true():
            await asyncio.sleep(PROBE_EVERY_S)
