"""Counts the requests to other parties in Redis, for the metrics."""

from redis.exceptions import RedisError

import lua
from contract.telemetry import get_logger


class Counting:
    """Counts the requests to one upstream. A count that is lost says so in the log, and nothing else happens."""

    def __init__(self, redis: lua.Client, name: str) -> None:
        self._redis = redis
        self._name = name
        self._log = get_logger()

    async def __call__(self, call: str, outcome: str, seconds: float) -> None:
        """Count one request."""
        try:
            await lua.count_upstream_call(self._redis, self._name, call, outcome, seconds)
        except (RedisError, OSError) as error:
            self._log.warning("a request is not counted", error=f"{type(error).__name__}: {error}")
