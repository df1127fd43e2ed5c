"""What the fault suite does to Valkey's memory: it really is full, and afterwards it is as it was before."""

import pytest
from redis.exceptions import OutOfMemoryError

import lua
from chaos.faults.memory import memory_full
from contract.settings import Settings


async def test_valkey_is_out_of_memory_inside_the_block_and_not_after_it(settings: Settings, redis: lua.Client) -> None:
    before = await redis.config_get("maxmemory")
    async with memory_full(settings):
        with pytest.raises(OutOfMemoryError):
            await redis.set("key", "value")
    assert await redis.config_get("maxmemory") == before
    assert await redis.set("key", "value")


async def test_a_memory_that_nobody_has_asked_for_anything_is_no_fault(settings: Settings) -> None:
    with pytest.raises(AssertionError, match="memory enough"):
        async with memory_full(settings):
            pass
