"""The clock steps back, and later forward again, as when somebody sets it right: Valkey's alone, or everybody's.

Between the servers and the C library's clock stands libfaketime, and before our own programs `false_clock.py`:
libfaketime breaks the sleep of Python, and threads. Both add to the time of day what a file says, which they read again
at every full second, so that all see a step at once. The monotonic clock stays true, as it does in reality.
"""

import asyncio
import contextlib
import dataclasses
import os
import shutil
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.children import ROOT
from chaos.fault import Fault, Scene, Struck, Unavailable
from chaos.house import House, house_settings, redis_of
from chaos.system import running_system
from chaos.waiting import until
from contract.settings import Settings, child_environ
from fluxgate import postgres, valkey
from fluxgate.process import running
from fluxgate.server import Server

PYTHONS = Path(__file__).with_name("false_clock.py")
# Where the package libfaketime puts the library for programs with threads, below the machine's architecture.
LIBRARIES, LIBRARY = Path("/usr/lib"), "*/faketime/libfaketimeMT.so.1"
# What the library leaves in memory, by the number of the process, when that is killed.
MEMORY, LEFT = Path("/dev/shm"), ("faketime_shm_{}", "sem.faketime_sem_{}")
# How far the clock steps back, six leases of a worker; and for how long.
STEP_S = 30
STEPPED_S = (4.0, 6.0)
# Seen at the next full second, by a server that may be busy.
SEEN_WITHIN_S = 5.0


class Clocks(NamedTuple):
    """The files that say how many seconds a clock is off: of Valkey, and of Postgres and our own programs."""

    valkey: Path
    others: list[Path]


@contextlib.asynccontextmanager
async def with_false_clocks(directory: Path) -> AsyncGenerator[House]:
    """A house whose clocks can be set; they are its `hands`. Its servers are started here, and not by `fluxgate up`.

    Raises Unavailable where libfaketime is not installed, or cannot work.
    """
    own = house_settings(directory / "data")
    clocks = Clocks(directory / "valkey-clock", [directory / "postgres-clock", directory / "python" / "clock"])
    clocks.others[-1].parent.mkdir()
    for clock in (clocks.valkey, *clocks.others):
        set_clock(clock, 0)
    shutil.copyfile(PYTHONS, directory / "python" / "sitecustomize.py")
    environ = {"PYTHONPATH": os.pathsep.join([str(directory / "python"), str(ROOT)])}
    async with contextlib.AsyncExitStack() as stack:
        redis = valkey.prepare(directory / "valkey", own.redis_port)
        books = await postgres.prepare(directory / "postgres", own.postgres_port)
        settings = msgspec.structs.replace(own, redis_url=redis.url, postgres_url=books.url)
        await stack.enter_async_context(_served(redis, clocks.valkey, settings))
        await stack.enter_async_context(_served(books, clocks.others[0], settings))
        system = await stack.enter_async_context(running_system(settings, environ=environ))
        yield House(settings, system, settings.port, hands=clocks, stack=stack)


def clock_environ(clock: Path) -> dict[str, str]:
    """What a server's environment needs for a clock that a file sets. Raises Unavailable."""
    library = next(iter(sorted(LIBRARIES.glob(LIBRARY))), None)
    if library is None:
        raise Unavailable("libfaketime, which makes a clock false, is not installed")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        # For how many seconds the file is remembered, not counting the one in which it was read.
        "FAKETIME_CACHE_DURATION": "0",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # The times of files stay what they are.
        "NO_FAKE_STAT": "1",
    }


def set_clock(clock: Path, offset_s: int) -> None:
    """From the next full second on, the clock is so far from the true time."""
    new = clock.with_suffix(".new")
    new.write_text(f"{offset_s:+d}\n")
    # In one step, because it may be read at any moment.
    new.replace(clock)


def stepping(name: str, whose: Callable[[Clocks], list[Path]]) -> Fault:
    """These clocks step back by STEP_S, and forward again after a while."""

    async def strike(scene: Scene) -> Struck:
        clocks: Clocks = scene.house.hands

        async def step(offset_s: int) -> None:
            for clock in whose(clocks):
                set_clock(clock, offset_s)
            await _seen(scene.house, offset_s)

        try:
            await step(-STEP_S)
            at = time.perf_counter()
            await asyncio.sleep(scene.draw.uniform(*STEPPED_S))
        finally:
            await step(0)
        return Struck(at, time.perf_counter())

    return Fault(name, strike, clock_lies=True)


async def _seen(house: House, offset_s: int) -> None:
    """Wait until Valkey goes by a clock that is so far from the true time."""
    async with redis_of(house) as redis:

        async def sees() -> bool:
            seconds, microseconds = await redis.time()
            return abs(seconds + microseconds / 1_000_000 - time.time() - offset_s) < 1

        await until(sees, SEEN_WITHIN_S)


@contextlib.asynccontextmanager
async def _served(server: Server, clock: Path, settings: Settings) -> AsyncGenerator[None]:
    """A server that goes by this clock inside the block."""
    if server.child.identity == "nobody":
        raise Unavailable("libfaketime does not follow Postgres into another user")
    child = dataclasses.replace(server.child, environ=child_environ(settings) | clock_environ(clock))
    settings.data_dir.mkdir(exist_ok=True)
    pid = 0
    try:
        async with running(child, settings.data_dir / f"{child.name}.log") as process:
            pid = process.pid
            yield
    finally:
        for name in LEFT:
            (MEMORY / name.format(pid)).unlink(missing_ok=True)


STEPPED = [
    stepping("clock of Valkey steps", lambda clocks: [clocks.valkey]),
    stepping("all clocks step", lambda clocks: [clocks.valkey, *clocks.others]),
]
