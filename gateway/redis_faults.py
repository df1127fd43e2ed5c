"""Turns every fault of Redis into the one meaning that it has here: not ready, and the outcome is unknown."""

import time
from collections.abc import Generator
from contextlib import contextmanager

from redis.exceptions import RedisError

from contract.errors import NotReady
from contract.telemetry import get_logger
from lua import LanesDiffer

COMPLAIN_EVERY_S = 1.0


@contextmanager
def as_not_ready() -> Generator[None]:
    """Raise NotReady for whatever keeps Redis from answering: away, slow, loading, out of memory, read-only; and when
    its sales lie in other lanes than this process knows."""
    try:
        yield
    except (RedisError, OSError, TimeoutError, LanesDiffer) as error:
        _complain(error)
        raise NotReady from error


class _Complaints:
    """When the last one was written, and how many were kept back since."""

    written = 0.0
    kept_back = 0


def _complain(error: Exception) -> None:
    """Write the fault down, at most once in COMPLAIN_EVERY_S: in an outage every batch and every look meets it."""
    now = time.monotonic()
    if now - _Complaints.written < COMPLAIN_EVERY_S:
        _Complaints.kept_back += 1
        return
    message = f"{type(error).__name__}: {error}"
    get_logger().warning("Redis cannot be used", error=message, kept_back=_Complaints.kept_back)
    _Complaints.written, _Complaints.kept_back = now, 0
