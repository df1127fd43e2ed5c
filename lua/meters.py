"""The counts of gateway processes that share a port, kept where each can answer for all; and the memory of Redis."""

from typing import Any, NamedTuple, cast

from lua.keys import METERS
from lua.scripts import Client


async def publish_meter(client: Client, process: str, meter: bytes) -> None:
    """Keep the latest counts of one process."""
    await cast(Any, client).hset(METERS, process, meter)


async def read_meters(client: Client) -> dict[str, bytes]:
    """The latest counts of every process, by its name."""
    found: dict[bytes, bytes] = await cast(Any, client).hgetall(METERS)
    return {process.decode(): meter for process, meter in found.items()}


async def forget_meters(client: Client, processes: list[str]) -> None:
    """Drop the counts of processes that have ended."""
    if processes:
        await cast(Any, client).hdel(METERS, *processes)


class Memory(NamedTuple):
    """Bytes that Redis uses, and those that it may use; 0: as many as there are."""

    used: int
    limit: int


async def read_memory(client: Client) -> Memory:
    """What Redis says of its memory."""
    found: dict[str, Any] = await cast(Any, client).info("memory")
    return Memory(int(found["used_memory"]), int(found["maxmemory"]))
