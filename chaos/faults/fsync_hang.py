"""A disk that hangs for one Valkey alone: the thread that brings its file to the disk is held still.

Under `appendfsync everysec` that thread does the fsync, and while one is out Valkey answers without having written.
Under `always` the thread that answers does it itself, and holding the other one still changes nothing. A disk that is
busy with something else does the same by chance.
"""

import contextlib
import ctypes
import os
from collections.abc import Generator
from pathlib import Path

import psutil

from chaos.fault import Unavailable

THREAD = "bio_aof"
# From <linux/ptrace.h> and <linux/wait.h>.
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WAIT_FOR_THREADS = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


@contextlib.contextmanager
def fsync_hangs(valkey: psutil.Process) -> Generator[None]:
    """Inside the block no fsync in the background comes back. Raises Unavailable where we may not do that.

    To be left by the thread that entered it: the kernel lets nobody else give the order.
    """
    thread = _thread(valkey.pid, THREAD)
    try:
        _order(PTRACE_SEIZE, thread)
    except PermissionError as error:
        raise Unavailable(f"no thread of Valkey may be held still: {error.strerror}") from None
    _order(PTRACE_INTERRUPT, thread)
    os.waitpid(thread, WAIT_FOR_THREADS)
    try:
        yield
    finally:
        try:
            _order(PTRACE_DETACH, thread)
        except ProcessLookupError:
            # Killed meanwhile. Its process counts as ended only when whoever traced the thread has taken note of that.
            os.waitpid(thread, WAIT_FOR_THREADS)


def _thread(pid: int, name: str) -> int:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return next(int(thread.name) for thread in threads if (thread / "comm").read_text().strip() == name)


def _order(request: int, thread: int) -> None:
    if _libc.ptrace(request, thread, None, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
