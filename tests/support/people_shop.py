"""A gateway and the worker `goated`, as processes, on a database of their own: for profiles, and for who is who."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from contract.settings import Settings
from contract.transport import open_redis
from tests.support.desk import open_desk
from tests.support.goated_rows import PEOPLE
from tests.support.http_stage import own_database
from tests.support.processes import running, running_gateway
from tests.support.servers import Servers
from tests.support.shop import Shop

ADMIN_KEY = "the operator's key"


@contextlib.asynccontextmanager
async def open_people_shop(servers: Servers, directory: Path) -> AsyncIterator[Shop]:
    """Nobody has come yet. A busy machine may take its time to answer."""
    async with own_database(servers.postgres_url) as postgres_url:
        settings = Settings(
            redis_url=servers.redis_url,
            postgres_url=postgres_url,
            data_dir=directory,
            ask_timeout_s=20,
            admin_key=ADMIN_KEY,
        )
        redis = open_redis(settings)
        await redis.flushall()
        await redis.aclose()
        async with (
            running_gateway(settings) as served,
            running(served, "worker", "goated"),
            open_desk(served, PEOPLE) as desk,
        ):
            yield Shop(served, desk)
