"""Every backend that a stream may have, as a parameter of the conformance suite. A second one is added here."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

import lua
from contract.transport import Stream


class Backend(NamedTuple):
    """What the suite needs of a backend beside `Stream` itself."""

    stream: Callable[..., Stream]
    append: Callable[[Mapping[str, str]], Any]
    settle: Callable[[str], Any]
    delete_behind_our_back: Callable[[str], Any]
    age: Callable[[str, str, int], Any]
    destroy_group: Callable[[], Any]
    destroy_data: Callable[[], Any]


NAME, GROUP = "{lane:0}:outbox", "orders"


def redis_backend(redis: Any) -> Backend:
    """Redis Streams: settling is what `settle.lua` does, acknowledge and delete."""

    async def append(fields: Mapping[str, str]) -> str:
        return (await redis.xadd(NAME, dict(fields))).decode()

    async def settle(entry_id: str) -> None:
        await redis.xack(NAME, GROUP, entry_id)
        await redis.xdel(NAME, entry_id)

    return Backend(
        stream=lambda consumer="one", group=GROUP: Stream(redis, NAME, group, consumer),
        append=append,
        settle=settle,
        delete_behind_our_back=lambda entry_id: redis.xdel(NAME, entry_id),
        age=lambda entry_id, consumer, idle_ms: redis.xclaim(NAME, GROUP, consumer, 0, [entry_id], idle=idle_ms),
        destroy_group=lambda: redis.xgroup_destroy(NAME, GROUP),
        destroy_data=lambda: redis.delete(NAME),
    )


BACKENDS: dict[str, Callable[[Any], Backend]] = {"redis": redis_backend}


@pytest.fixture(params=sorted(BACKENDS))
async def backend(request: pytest.FixtureRequest, redis: lua.Client) -> Backend:
    """One backend with an empty stream."""
    return BACKENDS[request.param](redis)
