"""Empties the baseline's database in Valkey, so that its leavings weigh on nobody's next run."""

import redis

from bench.system import System


def forget_baseline(system: System) -> None:
    """Delete everything in the baseline's own database, in the background of Valkey."""
    client = redis.Redis.from_url(system.settings.redis_at)
    try:
        client.flushdb(asynchronous=True)
    finally:
        client.close()
