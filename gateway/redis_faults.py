"""Turns every fault of Redis into the one meaning that it has here: not ready, and the outcome is unknown."""

from collections.abc import Generator
from contextlib import contextmanager

from redis.exceptions import RedisError

from contract.errors import NotReady
from contract.telemetry import get_logger


@contextmanager
def as_not_ready() -> Generator[None]:
    """Raise NotReady for whatever keeps Redis from answering: away, slow, loading, out of memory, read-only."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        get_logger().warning("Redis does not answer", error=f"{type(error).__name__}: {error}")
        raise NotReady from error
