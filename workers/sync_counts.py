"""Counts syncs with other parties in Redis, for the metrics and the alerts on them."""

from redis.exceptions import RedisError

import lua
from workers.service import Desk


async def note_sync(desk: Desk, upstream: str, outcome: str) -> None:
    """Count a sync that has ended as one of `lua.SYNC_OUTCOMES`, after its transaction.

    A count that is lost says so in the log, and nothing else happens; one whose worker dies here may be counted twice.
    """
    try:
        await lua.note_sync(desk.redis, upstream, outcome)
    except (RedisError, OSError) as error:
        desk.log.warning("a sync is not counted", upstream=upstream, error=f"{type(error).__name__}: {error}")
