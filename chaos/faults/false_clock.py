"""A false clock for Python: copied as `sitecustomize.py` into a directory of a program's PYTHONPATH, where it is run
before the program. The file `clock` beside it says by how many seconds the clock is off.

Only the time of day is false, as when somebody sets the clock; the monotonic clock, by which waits go, stays true.
"""

import time
from collections.abc import Callable
from pathlib import Path

SECOND_NS = 1_000_000_000


def false_time_ns(true_time_ns: Callable[[], int], file: Path) -> Callable[[], int]:
    """A clock that is off by what the file says, which is read again at every full second."""
    read_in, offset_ns = -1, 0

    def time_ns() -> int:
        nonlocal read_in, offset_ns
        now_ns = true_time_ns()
        if now_ns // SECOND_NS != read_in:
            read_in, offset_ns = now_ns // SECOND_NS, int(file.read_text()) * SECOND_NS
        return now_ns + offset_ns

    return time_ns


if __name__ == "sitecustomize":
    time.time_ns = false_time_ns(time.time_ns, Path(__file__).with_name("clock"))
    time.time = lambda: time.time_ns() / SECOND_NS
