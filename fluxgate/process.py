"""One child process: what it is, as data, and how it is started, waited for, stopped and swept away."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fluxgate.probes import Probe
from fluxgate.refusal import Refusal

Identity = Literal["same", "namespace", "nobody"]

# How long a child may live without being ready. Postgres after a crash first replays its log; that takes longest.
READY_WITHIN_S = 60.0
# Between two looks at whether a child is ready; a look is one connection on loopback.
PROBE_EVERY_S = 0.02
# One look takes no longer than this, so that a server that accepts and says nothing is no answer.
PROBE_WITHIN_S = 2.0
# Postgres may refuse its first start after it was killed, while the last of its old processes are still going.
START_ATTEMPTS = 3
# How long a child that runs on its own may take to end; nobody waits for it with a watch in the hand.
ALONE_STOP_WITHIN_S = 10.0
# How long a killed process may take to be gone; only a process stuck in the kernel takes longer.
KILLED_WITHIN_S = 2.0
# How long a program that ends by itself may run. initdb takes a second, and on a slow disk half a minute.
RUN_WITHIN_S = 120.0
# The last lines of a log that are shown when a child does not come up, and how far back they are looked for.
LOG_TAIL_LINES = 5
LOG_TAIL_BYTES = 8192

LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, kw_only=True)
class Child:
    """A process to run: everything there is to know about it before it lives."""

    name: str
    argv: Sequence[str]
    # Whether it is ready to be used, asked again until it says yes.
    ready: Probe
    # None: our own environment.
    environ: Mapping[str, str] | None = None
    identity: Identity = "same"
    # What asks it to end, and how much time is kept for that when everything has to end together.
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 1.0


class ChildFailed(Refusal):
    """A child that ended, or did not become ready, where it should have come up."""

    def __init__(self, child: Child, how: str, log: Path) -> None:
        lines = "".join(f"\n    {line}" for line in log_tail(log))
        super().__init__(f"{child.name} {how}; its log is {log}" + (f" and ends in:{lines}" if lines else "."))


async def spawn(child: Child, log: Path, keep_open: Sequence[int] = ()) -> Process:
    """Start a child in a session of its own, so that ctrl-C in the terminal reaches us and not the child.

    What it writes goes to the end of `log`. The file descriptors in `keep_open` stay open in it and its children.
    """
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *launched(child.argv, child.identity, child.stop_signal),
            env=child.environ,
            stdin=DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=keep_open,
        )


def launched(argv: Sequence[str], identity: Identity, death_signal: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command that runs `argv` as `identity`, and sends it `death_signal` when this process dies."""
    return [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal)), identity, *argv]


async def become_ready(child: Child, process: Process, log: Path) -> None:
    """Return once the child is ready. Raises ChildFailed when it ends before, or takes too long."""
    ended = asyncio.ensure_future(process.wait())
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            while not ended.done() and not await _probe(child):
                await asyncio.wait([ended], timeout=PROBE_EVERY_S)
    except TimeoutError:
        raise ChildFailed(child, f"was not ready within {READY_WITHIN_S:.0f} s", log) from None
    finally:
        ended.cancel()
    if process.returncode is not None:
        raise ChildFailed(child, describe_exit(process.returncode), log)


async def _probe(child: Child) -> bool:
    try:
        async with asyncio.timeout(PROBE_WITHIN_S):
            return await child.ready()
    except TimeoutError:
        return False


async def bring_up(child: Child, log: Path, keep_open: Sequence[int] = ()) -> Process:
    """Start a child and return when it is ready; a child that ends at once gets a second and a third try."""
    for attempt in range(1, START_ATTEMPTS + 1):
        process = await spawn(child, log, keep_open)
        try:
            await become_ready(child, process, log)
            return process
        except ChildFailed:
            await kill(process)
            if attempt == START_ATTEMPTS:
                raise
        except BaseException:
            await kill(process)
            raise
    raise AssertionError("the last attempt returns or raises")


async def stop(child: Child, process: Process, within_s: float) -> bool:
    """Ask a child to end, and kill it when it does not; nothing of it is left then. True when it ended by itself."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(child.stop_signal)
    try:
        async with asyncio.timeout(within_s):
            await process.wait()
        in_time = True
    except TimeoutError:
        in_time = False
    await kill(process)
    return in_time


async def kill(process: Process) -> None:
    """Kill a child with its whole process group, and wait until it is gone."""
    kill_group(process)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(KILLED_WITHIN_S):
            await process.wait()


def kill_group(process: Process) -> None:
    """SIGKILL to the child, to all below it, and to what is left of its process group, which has its number."""
    # Postgres gives each of its processes a session of its own, so the group alone would miss one that hangs.
    below = descendants(process.pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pid in below:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """The processes below one, as far as the system tells (Linux does)."""
    found: list[int] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, listed.read_text().split()):
                found += [child, *descendants(child)]
    return found


@contextlib.asynccontextmanager
async def running(child: Child, log: Path) -> AsyncGenerator[Process]:
    """A child that is up inside the block and gone after it."""
    process = await bring_up(child, log)
    try:
        yield process
    finally:
        await stop(child, process, ALONE_STOP_WITHIN_S)


async def run_to_end(argv: Sequence[str], identity: Identity, keep_open: Sequence[int] = ()) -> tuple[int, str]:
    """Run a program that ends by itself; returns its exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *launched(argv, identity),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
        pass_fds=keep_open,
    )
    try:
        async with asyncio.timeout(RUN_WITHIN_S):
            output, _ = await process.communicate()
    except BaseException:
        await kill(process)
        raise
    return process.returncode or 0, output.decode(errors="replace").strip()


def describe_exit(returncode: int) -> str:
    """How a process ended, for people: 'ended with code 1' or 'was ended by SIGKILL'."""
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with code {returncode}"


def log_tail(log: Path) -> list[str]:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    except OSError:
        return []
