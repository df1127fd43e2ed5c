"""The data directory: made, tried, and held by one `fluxgate up` at a time."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncGenerator
from pathlib import Path

from fluxgate.refusal import Refusal

# What an `up` that was killed leaves behind ends by itself; a gateway with requests in flight takes longest.
LEFTOVERS_WITHIN_S = 8.0
# Between two looks at whether the leftovers are gone.
LOOK_EVERY_S = 0.05


@contextlib.asynccontextmanager
async def held(directory: Path) -> AsyncGenerator[int]:
    """Hold the data directory inside the block; gives the file descriptor of the lock.

    The lock belongs to everybody who has that descriptor open. Children keep it open, so it comes free when the last
    of them is gone, and an `up` that follows one that was killed knows when it can start.
    """
    lock = _open(directory)
    try:
        await _take(lock, directory)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield lock
    finally:
        os.close(lock)


def is_held(directory: Path) -> bool:
    """Whether an `up` runs on this directory."""
    try:
        lock = os.open(directory / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        return not _try_to_take(lock)
    finally:
        os.close(lock)


def _open(directory: Path) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Refusal(
            f"FLUXGATE_DATA_DIR is {directory}, where nothing can be written: {error.strerror}; "
            "set it to a directory that is yours."
        ) from None


async def _take(lock: int, directory: Path) -> None:
    try:
        async with asyncio.timeout(LEFTOVERS_WITHIN_S):
            while not _try_to_take(lock):
                holder = _holder(lock)
                if _alive(holder):
                    raise Refusal(
                        f"Flux-Gate already runs on {directory} (process {holder}): stop that one, or set "
                        "FLUXGATE_DATA_DIR to another directory."
                    )
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise Refusal(
            f"Processes of an earlier run still use {directory}: end them, or set FLUXGATE_DATA_DIR to another."
        ) from None


def _try_to_take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(lock: int) -> int:
    written = os.pread(lock, 20, 0)
    return int(written) if written.isdigit() else 0


def _alive(pid: int) -> bool:
    if pid == 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
