"""A gateway and the worker `goated` in this process, on a database of their own, whose tables a test fills by hand."""

import contextlib
import datetime
import re
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lua
from contract.bus import encode
from contract.settings import Settings
from contract.transport import open_redis
from tests.support.cache import fill, let_pass
from tests.support.desk import open_desk, serving
from tests.support.http import Response, request, send
from tests.support.http_stage import own_database
from tests.support.processes import running_gateway
from tests.support.servers import Servers
from tests.support.streams import Stream, streaming
from tests.support.told_races import POOL, SHARES, Person, fetched, forget_all
from tests.support.watching import Watching, watching
from workers.goated_news import read_news
from workers.goated_races import read_zone, told
from workers.goated_reads import HANDLERS
from workers.goated_writing import Terms
from workers.service import Desk, Service

ADMIN_KEY = "the operator's key"
AT = "/api/wager-races"


class Tools(NamedTuple):
    """What reading needs of the tools of the worker."""

    terms: Terms


def _tools(_settings: Settings) -> Tools:
    return Tools(Terms(read_zone("UTC"), SHARES, POOL))


READS = Service("goated", HANDLERS, _tools, query_file="bus")


class Stage:
    """The gateway at `settings`. The worker answers while `working` is open, and nobody does outside of it."""

    def __init__(self, settings: Settings, desk: Desk) -> None:
        self.settings = settings
        self.desk = desk
        self.redis: Any = desk.redis

    async def clear(self) -> None:
        """Nothing was ever fetched, and nothing is cached."""
        await forget_all(self.desk.pool)
        await self.drop()

    async def drop(self, *patterns: str) -> None:
        """Forget what is cached."""
        await lua.invalidate(self.desk.redis, patterns or ("race:*", "affiliate:*"))

    async def turn_back(self, name: str, field: str) -> None:
        """Have a cached answer tell a moment of an hour ago, where a field of it first tells one."""
        kept = (await lua.read_cached(self.desk.redis, name)).value
        assert kept is not None, name
        ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        value, count = re.subn(f'(?<="{field}":")[^"]+'.encode(), told(ago).encode(), kept, count=1)
        assert count == 1, kept
        await self.keep(name, value)

    async def keep(self, name: str, value: bytes, age_s: float = 0) -> None:
        """Have this in the cache, filled so long ago."""
        await lua.invalidate(self.desk.redis, [name])
        await fill(self.desk.redis, name, value, kept_s=86_400)
        await let_pass(self.desk.redis, name, age_s)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncGenerator[None]:
        """The worker is at work inside the block."""
        async with serving(self.desk, READS):
            yield

    async def tell(self, people: Sequence[Person], **more: Any) -> None:
        """A sync has brought these, and says so to nobody."""
        await fetched(self.desk.pool, people, **more)
        await self.drop()

    async def publish(self, people: Sequence[Person]) -> None:
        """A sync has brought these, and says so."""
        await self.tell(people)
        await lua.publish_races(self.desk.redis, encode(await read_news(self.desk.pool)))

    async def get(self, path: str, **headers: str) -> Response:
        """GET a path."""
        return await self.ask("GET", path, b"", **headers)

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        """A request of nobody in particular."""
        return await send(self.settings.port, request(method, path, body, **headers))

    def stream(self, **headers: str) -> contextlib.AbstractAsyncContextManager[Stream]:
        """A stream of events."""
        return streaming(self.settings.port, f"{AT}/events", **headers)

    def socket(self, query: str = "") -> contextlib.AbstractAsyncContextManager[Watching]:
        """A WebSocket."""
        return watching(self.settings.port, query, at="/ws/races")

    async def listeners(self) -> int:
        """How many processes listen to the news of races."""
        return (await self.redis.pubsub_numsub(lua.RACES_CHANNEL))[0][1]


@contextlib.asynccontextmanager
async def open_race_stage(servers: Servers, directory: Path, **more: Any) -> AsyncGenerator[Stage]:
    """All of it, on an emptied Valkey."""
    async with own_database(servers.postgres_url) as postgres_url:
        settings = Settings(
            redis_url=servers.redis_url,
            postgres_url=postgres_url,
            data_dir=directory,
            rate_per_s=100_000,
            admin_key=ADMIN_KEY,
            redis_timeout_s=5,
            **more,
        )
        redis = open_redis(settings)
        await redis.flushall()
        await redis.aclose()
        async with running_gateway(settings) as served, open_desk(served, READS) as desk:
            yield Stage(served, desk)
