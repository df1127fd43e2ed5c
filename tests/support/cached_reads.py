"""Reads by way of a cache, as its tests make them: a source that answers when let, and readers that wait."""

import asyncio
from collections.abc import Callable
from typing import Any

import lua
from chaos.waiting import until
from gateway.caching import Cache
from gateway.last_answers import Cached

HALO, CART = "game:halo", "user:7:cart"
FRESH_S, STALE_S = 10.0, 60.0
WAIT_S = 0.2
"""Instead of a second, where a reader waits in vain."""


class Source:
    """What a worker would say: the value of the moment when it is asked, once it is let. It may fail instead."""

    def __init__(self, value: bytes = b"one") -> None:
        self.value = value
        self.fault: Exception | None = None
        self.asked = 0
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self) -> bytes:
        self.asked += 1
        value, may_answer = self.value, self.may_answer
        self.is_asked.set()
        await may_answer.wait()
        if self.fault is not None:
            raise self.fault
        return value

    def hold(self) -> None:
        """Let it answer only when it is told to."""
        self.may_answer = asyncio.Event()
        self.is_asked.clear()

    def change(self, value: bytes) -> asyncio.Event:
        """Say another value from now on, and at once; gives what lets those go on that were held."""
        held, self.may_answer = self.may_answer, asyncio.Event()
        self.value = value
        self.may_answer.set()
        return held


def read(cache: Cache, source: Source, name: str = HALO) -> Any:
    return cache.read(name, source, fresh_s=FRESH_S, stale_s=STALE_S)


async def started(cache: Cache, source: Source, name: str = HALO) -> asyncio.Task[Cached]:
    """A reader whose fill has begun, and waits to be let."""
    source.hold()
    reader = asyncio.create_task(read(cache, source, name))
    await source.is_asked.wait()
    return reader


async def becomes(true: Callable[[], bool]) -> None:
    """Wait until something in this process is so."""

    async def look() -> bool:
        return true()

    await until(look)


async def filled(redis: lua.Client, name: str = HALO) -> bytes | None:
    return (await lua.read_cached(redis, name)).value


async def filled_with(redis: lua.Client, value: bytes) -> bool:
    return await filled(redis) == value
