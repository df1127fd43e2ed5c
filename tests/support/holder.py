"""A process that takes a schedule and never ends its work: python -m tests.support.holder

Each time that the work begins, its process id is pushed to the list BEGUN in Redis.
"""

import asyncio
import os
from typing import Any, cast

import lua
from contract.settings import read_settings
from contract.telemetry import configure_logging, get_logger
from contract.transport import open_redis
from sql import load_queries, open_pool
from workers import scheduler
from workers.scheduler import Schedule
from workers.worker import Context

BEGUN = "begun"
NAME = "held"


async def hold(context: Context) -> None:
    """Say that the work has begun, and never end it."""
    await cast(Any, context.redis).rpush(BEGUN, os.getpid())
    await asyncio.Event().wait()


async def main() -> None:
    """Run the schedule until this process is killed."""
    settings = read_settings()
    configure_logging("holder", settings.log_level)
    redis = open_redis(settings)
    pool = await open_pool(settings.postgres_at, name="holder", connections=2)
    context = Context(settings, redis, pool, lua.LaneKeys(0), load_queries("reconcile"), get_logger())
    await scheduler.run(context, [Schedule(NAME, hold, cron="0 0 1 1 *")], asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main())
