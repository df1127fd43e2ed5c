"""A house: a running system of the suite's own, and what the suite holds in its hands to spoil it with."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

import lua
from chaos.system import System, own_settings, running_system, started
from contract.settings import Settings
from contract.transport import open_redis
from fluxgate.embedded import resolve

# A G2A, an Amazon and a Goated that nobody answers for: their sandboxes would take processor time that the sale of a
# house needs.
NOBODY = "http://127.0.0.1:1"
# Every house has one lane.
KEYS = lua.LaneKeys(0)


@dataclass
class House:
    """A running system. `settings` lead the operator's tools straight to its servers."""

    settings: Settings
    system: System
    # Where the buyers come.
    port: int
    # What the faults of this kind of house need: proxies, a disk, a clock.
    hands: Any = None
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def start_again(self) -> None:
        """Start the system anew, after the end of the last one."""
        self.system = await self.stack.enter_async_context(started(self.settings, name="up-again"))


@contextlib.asynccontextmanager
async def redis_of(house: House) -> AsyncGenerator[Any]:
    """A client of the house's Valkey, past every proxy."""
    client = open_redis(resolve(house.settings))
    try:
        yield client
    finally:
        await client.aclose()


def house_settings(data_dir: Path, gateway_processes: int = 2) -> Settings:
    """Settings for a system of its own that lets everybody in, and remembers keys for longer than any sale takes."""
    return msgspec.structs.replace(
        own_settings(data_dir),
        g2a_url=NOBODY,
        amazon_url=NOBODY,
        goated_url=NOBODY,
        goated_code="nobody",
        rate_per_s=1_000_000.0,
        gateway_workers=gateway_processes,
        idempotency_ttl_s=3_600,
        reaper_every_s=1.0,
    )


@contextlib.asynccontextmanager
async def embedded(directory: Path, gateway_processes: int = 2) -> AsyncGenerator[House]:
    """A house as `make up` runs it: everything below one supervisor."""
    settings = house_settings(directory / "data", gateway_processes)
    async with contextlib.AsyncExitStack() as stack:
        system = await stack.enter_async_context(running_system(settings))
        yield House(settings, system, settings.port, stack=stack)
