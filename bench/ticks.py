"""A timer with microseconds, which Python's event loops lack: theirs count in whole milliseconds.

Linux's timerfd, through ctypes because `os.timerfd_create` came only with Python 3.13.
"""

import ctypes
import os
import select

CLOCK_MONOTONIC = 1
NANOSECONDS = 1_000_000_000


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("first", _Timespec))


def open_ticks(every_us: int) -> int:
    """A file descriptor that becomes readable every `every_us` microseconds, from now on. The caller closes it."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.timerfd_create(CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    period = _Timespec(*divmod(every_us * 1000, NANOSECONDS))
    if descriptor < 0 or libc.timerfd_settime(descriptor, 0, ctypes.byref(_Itimerspec(period, period)), None) < 0:
        raise OSError(ctypes.get_errno(), "This system has no timerfd, which the open-model load needs.")
    return descriptor


def take_ticks(descriptor: int) -> None:
    """Make the descriptor unreadable again until the next tick."""
    try:
        os.read(descriptor, 8)
    except BlockingIOError:
        return


def wait_ticks(descriptor: int) -> None:
    """Block until the next tick."""
    select.select([descriptor], [], [])
