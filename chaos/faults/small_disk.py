"""A server whose data lies on a small disk of its own, which can be filled to the last byte and emptied again.

The disk is a tmpfs in a mount namespace of the system's own: nobody else sees it, nothing of the machine's changes, and
it ends with the system. From outside it is reached through the root that the system has in /proc.
"""

import asyncio
import contextlib
import errno
import io
import os
import shutil
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from bench.books import open_books
from chaos.fault import Fault, Scene, Struck, Unavailable
from chaos.house import House, house_settings
from chaos.system import running_system
from contract.settings import Settings
from fluxgate.embedded import resolve
from fluxgate.process import launched
from workers.faults import TRANSIENT

Server = Literal["valkey", "postgres"]
# Room for a whole sale. Valkey's log takes 5 MiB; Postgres's files take 40 MiB when new, and its log 16 MiB a piece.
DISK_BYTES = {"valkey": 32 << 20, "postgres": 192 << 20}
# As root, and as somebody who becomes root in a user namespace of his own.
WAYS = (("--mount",), ("--map-root-user", "--mount"))
# Makes the disk, and becomes the program that is to use it.
MOUNT = """
set -e
mkdir -p -m 700 "$1"
mount -t tmpfs -o "size=$2,mode=700" small-disk "$1"
shift 2
exec "$@"
"""
TRIED_WITHIN_S = 10.0
# The disk is full for so long: Valkey dies of it several times meanwhile.
FULL_S = (3.0, 7.0)
# Between two looks at whether the server has made room, which is taken from it.
FILL_EVERY_S = 0.05
BLOCK = bytes(1 << 20)
# What the log of a server says that has met a full disk.
NOTICED = {"valkey": "Can't recover from AOF write error", "postgres": os.strerror(errno.ENOSPC)}


@contextlib.asynccontextmanager
async def on_small_disk(directory: Path, server: Server) -> AsyncGenerator[House]:
    """A house in which the data of `server` lies on a small disk; its `hands` are the way to it.

    Raises Unavailable where nobody may have a mount namespace.
    """
    settings = house_settings(directory / "data")
    prefix = await small_disk(settings.data_dir / server, DISK_BYTES[server])
    async with contextlib.AsyncExitStack() as stack:
        system = await stack.enter_async_context(running_system(settings, prefix=prefix))
        seen = seen_by(system.process.pid, settings.data_dir)
        yield House(_straight(settings, seen), system, settings.port, hands=seen / server, stack=stack)


async def small_disk(directory: Path, size_bytes: int, ways: Sequence[Sequence[str]] = WAYS) -> list[str]:
    """A command that gives the program behind it a disk of that size at `directory`, which nobody else sees.

    It becomes that program, whose process id is therefore its own. Raises Unavailable.
    """
    unshare, reason = shutil.which("unshare"), "unshare, which makes one, is not installed"
    for way in ways if unshare else ():
        command = [str(unshare), *way, "sh", "-c", MOUNT, "sh", str(directory), str(size_bytes)]
        reason = await _refusal([*command, "true"])
        if not reason:
            # Whoever enters a user namespace is no longer told of the death of who started him, and asks for it anew.
            return [*command, *launched((), "same")]
    raise Unavailable(f"no mount namespace: {reason}")


def seen_by(pid: int, path: Path) -> Path:
    """The way to what a process sees at `path`, as long as it lives."""
    return Path(f"/proc/{pid}/root", *path.absolute().parts[1:])


@contextlib.asynccontextmanager
async def filled(directory: Path) -> AsyncGenerator[None]:
    """Inside the block the disk that holds `directory` is full to the last byte, whatever else is removed from it."""
    ballast = directory / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            fill(file)
            filling = asyncio.create_task(_keep_full(file))
            try:
                yield
            finally:
                filling.cancel()
                await asyncio.wait({filling})
    finally:
        ballast.unlink()


def fill(file: io.FileIO) -> None:
    """Take all the room that there is."""
    try:
        while True:
            # The last one is written in part.
            file.write(BLOCK)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


async def full(scene: Scene) -> Struck:
    """The disk is full for a while, and the server notices."""
    house = scene.house
    with _log_says(house, NOTICED[house.hands.name]):
        at = time.perf_counter()
        async with filled(house.hands):
            await asyncio.sleep(scene.draw.uniform(*FULL_S))
        return Struck(at, time.perf_counter())


async def full_for_the_log(scene: Scene) -> Struck:
    """The disk is full when Postgres needs the next file of its log, which ends it, and its recoveries too."""
    house = scene.house
    with _log_says(house, "PANIC"):
        at = time.perf_counter()
        async with filled(house.hands):
            # The connection ends with the server.
            with contextlib.suppress(*TRANSIENT):
                async with open_books(house.settings) as connection:
                    await connection.execute("SELECT pg_switch_wal()")
            await asyncio.sleep(scene.draw.uniform(*FULL_S))
        return Struck(at, time.perf_counter())


@contextlib.contextmanager
def _log_says(house: House, words: str) -> Generator[None]:
    """By the end of the block the server has written these words, or the fault has not met it."""
    log = house.settings.data_dir / "logs" / f"{house.hands.name}.log"
    before = log.stat().st_size
    yield
    assert words in log.read_bytes()[before:].decode(errors="replace"), f"{house.hands.name} did not notice"


async def _keep_full(file: io.FileIO) -> None:
    while True:
        await asyncio.sleep(FILL_EVERY_S)
        fill(file)


def _straight(settings: Settings, seen: Path) -> Settings:
    """The settings that lead to the servers whose data directory is seen there."""
    there = resolve(msgspec.structs.replace(settings, data_dir=seen))
    return msgspec.structs.replace(there, data_dir=settings.data_dir)


async def _refusal(command: Sequence[str]) -> str:
    """Why a command does not work; empty when it does."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(TRIED_WITHIN_S):
        _, errors = await process.communicate()
    return errors.decode(errors="replace").strip() if process.returncode else ""


FULL_OF_VALKEY = [Fault("disk of Valkey full", full)]
FULL_OF_POSTGRES = [
    Fault("disk of Postgres full", full),
    Fault("disk of Postgres full for its log", full_for_the_log),
]
