"""A disk that is busy with the writes of others, as a backup or a neighbour keeps it: each sync takes its time."""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import NamedTuple

from chaos.fault import Unavailable
from fluxgate.process import kill, launched

WRITERS = Path(__file__).with_name("disk_writers.py")
# Measured on ext4 on a virtual disk: fewer do not make a sync ten times slower, more cost other processes their time
# on the processors too. They have 256 MiB on the disk together at most.
THREADS = 8
# The writers end by themselves after this, whatever becomes of who started them. Longer than any trial takes.
BUSY_MAX_S = 120.0
BUSY_WITHIN_S = 20.0
# What a server appends and syncs at a time is about this much.
SYNCED_BYTES = 4096
# Between two syncs that are measured, so that they fall on quick moments and slow ones alike.
SYNC_EVERY_S = 0.02
# A sync that takes as long belongs to a disk that is busy; an idle one takes a tenth of it. Looked at for a second.
BUSY_SYNC_MS, LOOKS = 3.0, 25


@contextlib.asynccontextmanager
async def busy_disk(directory: Path) -> AsyncGenerator[None]:
    """Inside the block the disk that holds `directory` is busy; nothing is left on it after.

    Raises Unavailable when its syncs are fast all the same, as in memory or behind a large cache.
    """
    command = [sys.executable, "-I", "-S", str(WRITERS), str(directory), str(THREADS), str(BUSY_MAX_S)]
    writers = await asyncio.create_subprocess_exec(*launched(command, "same"), stdout=PIPE, start_new_session=True)
    assert writers.stdout
    try:
        async with asyncio.timeout(BUSY_WITHIN_S):
            busy = await writers.stdout.readline()
        assert busy == b"busy\n", "the writers ended before they had written anything"
        slowed = await asyncio.to_thread(sync_times, directory, LOOKS)
        if slowed.median_ms < BUSY_SYNC_MS:
            raise Unavailable(f"a sync takes {slowed.median_ms:.1f} ms on this disk, however busy it is kept")
        yield
        assert writers.returncode is None, "the disk was not busy all the time: the writers have ended"
    finally:
        await kill(writers)


class SyncTimes(NamedTuple):
    """How long a small write takes until it is on the disk, in milliseconds."""

    median_ms: float
    p99_ms: float


def sync_times(directory: Path, count: int) -> SyncTimes:
    """Append and sync SYNCED_BYTES so often, as a server does with its log."""
    taken: list[float] = []
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        for _ in range(count):
            begun = time.perf_counter()
            file.write(bytes(SYNCED_BYTES))
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1_000)
            time.sleep(SYNC_EVERY_S)
    taken.sort()
    return SyncTimes(taken[len(taken) // 2], taken[len(taken) * 99 // 100])
