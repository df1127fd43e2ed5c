"""Programs that the bench starts: started with our own death signal, waited for, stopped by their process id."""

import contextlib
import http.client
import os
import signal
import subprocess
import time
from collections.abc import Collection, Generator, Sequence
from pathlib import Path

from bench.loopback import LOOPBACK
from bench.processes import process_tree
from contract.settings import Settings, child_environ
from fluxgate.process import launched, log_tail

# Installing nothing, a whole system is up in seconds; a busy machine may need more.
READY_MAX_S = 90.0
# Between two looks at whether a program is ready.
LOOK_EVERY_S = 0.05
# How long a program may take to end after SIGTERM before it is killed.
STOP_MAX_S = 15.0
ROOT = Path(__file__).parent.parent


class StartError(Exception):
    """A program of the bench that did not come up. The message says which and how its log ends."""


def code_environ(settings: Settings, root: Path = ROOT) -> dict[str, str]:
    """The environment of a program whose code lies in `root`, and not where this Python has it installed."""
    return child_environ(settings) | {"PYTHONPATH": str(root)}


@contextlib.contextmanager
def running(
    command: Sequence[str], settings: Settings, path: str, log: Path, *, root: Path = ROOT, cpus: Collection[int] = ()
) -> Generator[subprocess.Popen[bytes]]:
    """A program inside the block, from when `GET path` on its port answers below 500; nothing of it is left after."""
    with started(command, settings, log, root=root, cpus=cpus) as child:
        await_ready(child, settings.port, path, log)
        yield child


@contextlib.contextmanager
def started(
    command: Sequence[str], settings: Settings, log: Path, *, root: Path = ROOT, cpus: Collection[int] = ()
) -> Generator[subprocess.Popen[bytes]]:
    """A program inside the block, allowed on `cpus` (none: on ours); nothing of it is left after."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            launched(command, "same", signal.SIGTERM),
            env=code_environ(settings, root),
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        if cpus:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(child.pid, cpus)
        yield child
    finally:
        stop(child)


def stop(child: subprocess.Popen[bytes]) -> None:
    """End a program and everything that it started: by request, and what is left of it after that by force."""
    tree = process_tree(child.pid) if child.poll() is None else set[int]()
    child.terminate()
    try:
        child.wait(STOP_MAX_S)
    except subprocess.TimeoutExpired:
        tree |= process_tree(child.pid)
        child.kill()
        child.wait()
        for pid in tree - {child.pid}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def await_ready(child: subprocess.Popen[bytes], port: int, path: str, log: Path) -> None:
    """Wait until `GET path` answers below 500. Raises StartError with the end of the log when it never does."""
    deadline = time.monotonic() + READY_MAX_S
    while not _answers(port, path):
        if child.poll() is not None or time.monotonic() > deadline:
            how = "took too long" if child.returncode is None else f"ended with code {child.returncode}"
            raise StartError("\n    ".join([f"{log.stem} {how} instead of coming up. Its last lines:", *log_tail(log)]))
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(LOOK_EVERY_S)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
