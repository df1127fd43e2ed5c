"""Dying with the parent: no process of ours outlives the one that started it, not even when that one is SIGKILLed.

Uses the standard library only: the launcher of the embedded servers runs it before any package can be imported.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time

# From <linux/prctl.h>.
PR_SET_PDEATHSIG = 1
# Where the kernel offers no such signal, a thread looks this often: an orphan may serve that long.
ORPHAN_CHECK_EVERY_S = 0.5


def die_with_parent(parent_pid: int | None = None, signum: int = signal.SIGKILL) -> None:
    """Arrange that this process gets `signum` as soon as its parent is gone.

    Without `parent_pid` the parent is the process that started this one through `multiprocessing`, as Granian does
    with its workers; a process that was started in no such way has no parent to die with, and nothing happens.
    Call it after every change of user or namespace, because those make the kernel forget it.
    """
    if parent_pid is None:
        parent = multiprocessing.parent_process()
        if parent is None or parent.pid is None:
            return
        parent_pid = parent.pid
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent_pid, signum), name="die-with-parent", daemon=True).start()
    # The parent may have died before the kernel knew of our wish; then nobody else would tell us.
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signum)


def _watch(parent_pid: int, signum: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(ORPHAN_CHECK_EVERY_S)
    os.kill(os.getpid(), signum)
