"""The group of a stream is deleted between two steps of one look: the look gives nothing, and the next finds all."""

from typing import Any

import pytest

import lua
from contract.transport import Stream
from tests.transport.conftest import GROUP, NAME


class Meddler:
    """A client that deletes the group after one command."""

    def __init__(self, redis: Any, command: str) -> None:
        self._redis = redis
        self._command = command

    def __getattr__(self, name: str) -> Any:
        wanted = getattr(self._redis, name)
        if name != self._command:
            return wanted

        async def and_then(*arguments: Any, **options: Any) -> Any:
            reply = await wanted(*arguments, **options)
            await self._redis.xgroup_destroy(NAME, GROUP)
            return reply

        return and_then


@pytest.mark.parametrize("command", ["xautoclaim", "xreadgroup"])
async def test_a_group_that_goes_in_the_middle_of_a_look_is_made_again(redis: lua.Client, command: str) -> None:
    client: Any = redis
    held = Stream(client, NAME, GROUP, "held")
    await held.ensure_group()
    entries = [await client.xadd(NAME, {"n": str(i)}) for i in range(2)]
    await held.read(10, 1)
    stream = Stream(Meddler(client, command), NAME, GROUP, "held")  # type: ignore[arg-type]
    assert await (stream.claim(0) if command == "xautoclaim" else stream.read_again(10)) == []
    assert [delivery.entry_id for delivery in await held.read(10, 1)] == [entry.decode() for entry in entries]
